import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runScript } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const packages = readdirSync(join(root, 'packages'));

/** `examples/<package>/*.ts`: short scripts that end by themselves and need nothing but the packages. */
function examplesOf(name: string): string[] {
  const folder = join(root, 'examples', name);
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.ts')) : [];
}

describe.each(packages)('examples/%s', (name) => {
  test('has at least one example', () => {
    expect(examplesOf(name)).not.toEqual([]);
  });

  for (const file of examplesOf(name)) {
    test(`${file} runs to its end`, { timeout: 90_000 }, async () => {
      const { exitCode, stdout, stderr } = await runScript(join(root, 'examples', name, file), { cwd: root });
      expect(exitCode, stderr).toBe(0);
      expect(stdout, 'an example shows what it did').not.toBe('');
    });
  }
});
