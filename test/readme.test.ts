import { join } from 'node:path';
import { runReadme } from '@millrace/test-support';
import { expect, test } from 'vitest';

// The READMEs of the packages are run by the packages' own tests, which know what each must print.
test('the first code block of the root README runs as pasted', { timeout: 90_000 }, async () => {
  const { exitCode, stderr } = await runReadme(join(import.meta.dirname, '..', 'README.md'));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});
