import { join } from 'node:path';
import { runReadme } from '@millrace/test-support';
import { expect, it } from 'vitest';

it('runs the first code block of the README as pasted', { timeout: 90_000 }, async () => {
  const { exitCode, stdout, stderr } = await runReadme(join(import.meta.dirname, '..', 'README.md'));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain(`shop_mails_total{result="ok"} 1`);
  expect(stdout).toContain('"run_id":"run-1"');
  expect(stdout).not.toContain('user:secret');
});
