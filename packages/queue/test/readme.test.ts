import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('the first code block of the README runs as it stands', async () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const file = join(import.meta.dirname, `readme-${process.pid}.mts`);
  writeFileSync(file, block);
  try {
    const node = ['--conditions=@millrace/source', '--import', 'tsx', file];
    const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: import.meta.dirname });
    expect(stdout).toBe('Hello, Ada!\n');
  } finally {
    rmSync(file, { force: true });
  }
});
