import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('docs/benchmarks.md says what the committed results say', () => {
  const page = execFileSync(process.execPath, [join(root, 'scripts', 'benchmark-page.mjs')], { encoding: 'utf8' });
  expect(
    readFileSync(join(root, 'docs', 'benchmarks.md'), 'utf8'),
    'run: node scripts/benchmark-page.mjs > docs/benchmarks.md',
  ).toBe(page);
});
