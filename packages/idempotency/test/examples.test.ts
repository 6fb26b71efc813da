import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '../../../examples/idempotency');

const expected: Readonly<Record<string, string>> = {
  'phases.ts': 'attempt 1: pushing\nattempt 1: out of memory\nattempt 2: done with millrace/run-1\n',
  'parked.ts': 'parked: nobody pays twice\nresolved: { paid: true } true\n',
  'http.ts': '201 { order: 1 } replayed: true\n2 attempts, 1 order\n',
};

test.each(Object.entries(expected))('%s', async (file, output) => {
  const args = ['--conditions=@millrace/source', '--import', 'tsx', join(folder, file)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(import.meta.dirname, '..') });
  expect(stdout).toBe(output);
});
