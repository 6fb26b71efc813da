import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('the first code block of the README runs as pasted', async () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
  // Inside the package, so that it imports itself by its name.
  const directory = await mkdtemp(join(root, 'test', '.readme-'));
  try {
    await writeFile(join(directory, 'block.mts'), code);
    const args = ['--conditions=@millrace/source', '--import', 'tsx', 'block.mts'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory });
    expect(stdout).toBe('true true\n');
  } finally {
    await rm(directory, { recursive: true });
  }
});
