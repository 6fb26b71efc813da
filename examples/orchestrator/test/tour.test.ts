import { execFile, execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startTestOrchestrator } from './support/orchestrator.ts';

const run = promisify(execFile);
const readme = fileURLToPath(new URL('../README.md', import.meta.url));

function has(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('the tour of the README works when it is pasted', async ({ skip }) => {
  skip(!has('jq') || !has('curl'), 'the tour needs curl and jq'); // and so does its reader
  const block = /## A tour of the API[\s\S]*?```sh\n([\s\S]*?)```/.exec(await readFile(readme, 'utf8'))?.[1] ?? '';
  await using orchestrator = await startTestOrchestrator();
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: orchestrator.directory,
    URL: orchestrator.url,
    TMPDIR: orchestrator.directory,
  };
  const { stdout, stderr } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', block], { env, timeout: 60_000 });
  expect(stderr).toBe('');
  expect(stdout).not.toContain('ERR_UNSUPPORTED');
  for (const part of [
    '"code":"ERR_IDEMPOTENCY_DUPLICATE"',
    'data: {',
    '"state": "succeeded"',
    '+hello',
    '{"kind":"bundle"',
    '{"author":"user","body":"Greet the world."}',
    '"cancelRequested":true',
    '"costMicroUsd":0',
    '"slots":8',
  ]) {
    expect(stdout).toContain(part);
  }
}, 90_000);
