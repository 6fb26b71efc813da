import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

it('runs examples/ratelimit/budgeted-agent.ts', async () => {
  const args = ['--conditions=@millrace/source', '--import', 'tsx', 'examples/ratelimit/budgeted-agent.ts'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(stdout).toContain('call 1: HTTP 200');
  expect(stdout).toContain('call 4: The budget "tenant:acme/');
});
