import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, waitFor } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import type { ExecutionResult } from '../src/executors/executor.ts';
import { maxLineLength, splitLines } from '../src/executors/lines.ts';
import { processExecutor } from '../src/executors/process.ts';

interface Options {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  readonly onLine?: (text: string) => void;
}

async function run(command: string, directory: string, options: Options = {}) {
  const lines: string[] = [];
  const result: ExecutionResult = await processExecutor().run({
    runId: 'run-1',
    command: '/bin/sh',
    args: ['-c', command],
    directory,
    env: { PATH: process.env.PATH ?? '', MILLRACE_RUN_ID: 'run-1' },
    mounts: [],
    timeout: options.timeout ?? 60_000,
    signal: options.signal ?? new AbortController().signal,
    onLine: async (stream, text) => {
      lines.push(`${stream}: ${text}`);
      options.onLine?.(text);
    },
  });
  return { ...result, lines };
}

/** A zombie counts as gone: it runs no more, only its parent has not asked yet. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

describe('process executor', () => {
  test('gives the output line by line, the exit code, and only the environment it was told', async () => {
    await using directory = await temporaryDirectory();
    process.env.SERVER_SECRET = 'hidden';
    const result = await run('echo one; echo two >&2; printf three; env; exit 7', directory.path);
    delete process.env.SERVER_SECRET;
    expect(result).toMatchObject({ reason: 'exited', exitCode: 7, signal: null });
    expect(result.lines).toEqual(expect.arrayContaining(['stdout: one', 'stderr: two']));
    expect(result.lines.some((line) => line.startsWith('stdout: three'))).toBe(true);
    expect(result.lines.join('\n')).not.toContain('hidden');
  });

  test('abort kills the whole group, also what ignores SIGTERM', async () => {
    await using directory = await temporaryDirectory();
    const abort = new AbortController();
    const command = `trap '' TERM; (trap '' TERM; sleep 300) & echo $!; echo $$; wait; sleep 300`;
    const pids: number[] = [];
    const result = await run(command, directory.path, {
      signal: abort.signal,
      onLine: (text) => {
        if (pids.push(Number(text)) === 2) abort.abort();
      },
    });
    expect(result.reason).toBe('aborted');
    for (const pid of pids) expect(await isRunning(pid)).toBe(false);
  });

  test('the timeout ends the program', async () => {
    await using directory = await temporaryDirectory();
    expect(await run('sleep 300', directory.path, { timeout: 50 })).toMatchObject({
      reason: 'timeout',
      exitCode: null,
    });
  });

  test('what the program leaves behind is killed with it, even in a session of its own', async () => {
    await using directory = await temporaryDirectory();
    const daemon = `setsid sh -c 'echo $$; exec sleep 300' & sleep 0.2`;
    const result = await run(`sleep 300 & echo $!; ${daemon}`, directory.path);
    const pids = result.lines.map((line) => Number(line.split(' ')[1]));
    expect(pids).toHaveLength(2);
    for (const pid of pids) await waitFor(async () => !(await isRunning(pid)));
  });

  test('kill -9 of the server kills the agent', async () => {
    await using directory = await temporaryDirectory();
    const executor = new URL('../src/executors/process.ts', import.meta.url).href;
    const program = `import { processExecutor } from '${executor}';
      await processExecutor().run({ runId: 'r', command: '/bin/sh', args: ['-c', 'echo $$ > pid; sleep 300'],
        directory: ${JSON.stringify(directory.path)}, env: {}, mounts: [], timeout: 60000, signal: new AbortController().signal,
        onLine: async () => {} });`;
    const args = ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '-e', program];
    const server = spawn(process.execPath, args, { stdio: 'inherit' });
    const file = join(directory.path, 'pid');
    const pid = await waitFor(async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined);
    expect(await isRunning(pid)).toBe(true);
    server.kill('SIGKILL');
    await waitFor(async () => !(await isRunning(pid)));
  });

  test('a failure to store a line stops the program and is the failure of the run', async () => {
    await using directory = await temporaryDirectory();
    const failure = new Error('the log is gone');
    const running = processExecutor().run({
      runId: 'run-2',
      command: '/bin/sh',
      args: ['-c', 'echo x; sleep 300'],
      directory: directory.path,
      env: {},
      mounts: [],
      timeout: 60_000,
      signal: new AbortController().signal,
      onLine: () => Promise.reject(failure),
    });
    await expect(running).rejects.toBe(failure);
  });
});

describe('splitLines', () => {
  const split = async (...chunks: (string | Buffer)[]) => {
    const lines: string[] = [];
    const source = (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    })();
    for await (const line of splitLines(source)) lines.push(line);
    return lines;
  };

  test('joins what chunks cut, also in the middle of a character', async () => {
    const [head, tail] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
    expect(await split('a', 'b\nc\r\n', head, tail, '\n\nend')).toEqual(['ab', 'c', 'é', '', 'end']);
  });

  test('cuts a line that does not end', async () => {
    const lines = await split('x'.repeat(maxLineLength + 1), 'y\n');
    expect(lines).toEqual(['x'.repeat(maxLineLength), 'xy']);
  });
});
