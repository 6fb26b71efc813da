import { join } from 'node:path';
import { runReadme } from '@millrace/test-support';
import { expect, test } from 'vitest';

test('the first code block of the README works when pasted', async () => {
  const { stdout } = await runReadme(join(import.meta.dirname, '../README.md'));
  expect(stdout).toMatch(/^refs\/heads\/agent\/1 is at [0-9a-f]{40}$/m);
});
