import { waitFor } from '@millrace/test-support';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Executor } from '../../src/executors/executor.ts';
import { execute } from './execute.ts';

/** An executor whose programs another service runs. */
export interface RemoteExecutor {
  readonly open: (workerId: string) => Promise<Executor>;
  /** Where programs work. */
  readonly directory: () => string;
  /** What that service has of runs. */
  readonly names: () => readonly string[];
  /** Makes it say that programs ended for their memory. */
  readonly outOfMemory: (yes: boolean) => void;
}

/** What holds for every executor whose programs another service runs. */
export function testRemoteExecutor({ open, directory, names, outOfMemory }: RemoteExecutor): void {
  let executor: Executor;
  const run = (command: string, options: Partial<Parameters<typeof execute>[2]> = {}) =>
    execute(executor, command, { directory: directory(), ...options });
  beforeEach(async () => {
    executor = await open('w1');
  });
  afterEach(() => outOfMemory(false));

  test('gives the output line by line, and the exit code', async () => {
    const command = 'for i in $(seq 1 500); do echo "line $i"; done; printf "$TOKEN"; exit 7';
    const result = await run(command, { env: { TOKEN: 'a=b' } });
    expect(result).toMatchObject({ reason: 'exited', exitCode: 7 });
    const lines = Array.from({ length: 500 }, (_, index) => `stdout: line ${index + 1}`);
    expect(result.lines).toEqual([...lines, 'stdout: a=b']);
  });

  test('abort and timeout end it and leave nothing', async () => {
    const abort = new AbortController();
    const aborted = await run('echo up; sleep 300', { signal: abort.signal, onLine: () => abort.abort() });
    expect(aborted.reason).toBe('aborted');
    expect((await run('sleep 300', { timeout: 100 })).reason).toBe('timeout');
    expect(names()).toEqual([]);
  });

  test('a failure to store a line is the failure of the run', async () => {
    const onLine = () => Promise.reject(new Error('the log is gone'));
    await expect(run('echo x; sleep 300', { onLine })).rejects.toThrow('the log is gone');
    expect(names()).toEqual([]);
  });

  test('what was killed for its memory is oom', async () => {
    outOfMemory(true);
    expect((await run('exit 137')).reason).toBe('oom');
  });

  test('what workers that are gone left is removed, what the living have stays', async () => {
    const abort = new AbortController();
    const begin = (one: Executor, runId: string) => {
      let up: () => void = () => {};
      const started = new Promise<void>((resolve) => {
        up = resolve;
      });
      const options = { directory: directory(), runId, signal: abort.signal, onLine: () => up() };
      // Whoever is swept may find its program gone.
      return { started, ended: execute(one, 'echo up; sleep 300', options).catch((error: Error) => error) };
    };
    const [stays, goes] = [begin(executor, 's0'), begin(await open('w2'), 's1')];
    await Promise.all([stays.started, goes.started]);
    await executor.sweep?.(new Set(['w1']));
    expect(names()).toContain('millrace-s0');
    await waitFor(() => names().length === 1);
    abort.abort();
    await Promise.all([stays.ended, goes.ended]);
  });
}
