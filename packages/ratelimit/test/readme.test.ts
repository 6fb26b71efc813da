import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const packageRoot = fileURLToPath(new URL('..', import.meta.url));

it('runs the first code block of the README as pasted', async () => {
  const readme = await readFile(`${packageRoot}README.md`, 'utf8');
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '--eval', block],
    { cwd: packageRoot },
  );
  expect(stdout).toContain('call 3, attempt 1');
});
