import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueue } from '@millrace/queue';
import { afterAll, describe, expect, it } from 'vitest';
import { workJob } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-signals-'));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A process that works on one job at a time, says when a handler starts, and ends with what `handler` is. */
function startWorker(path: string, handler: string, drainTimeout = '200ms'): ChildProcess {
  const script = `
    import { createQueue, defineJob, drainOnSignals } from '@millrace/queue';
    import { z } from 'zod';
    const queue = createQueue({ url: ${JSON.stringify(`sqlite://${path}`)}, jobs: [defineJob('work', z.object({ n: z.number() }), { keepResult: '1m' })] });
    drainOnSignals(queue);
    queue.work({ work: async (job, ctx) => { process.stdout.write('started\\n'); ${handler} } }, { concurrency: 1, drainTimeout: ${JSON.stringify(drainTimeout)} });
    process.on('SIGINT', () => process.stdout.write('heard\\n'));
  `;
  const child = spawn(
    process.execPath,
    ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '-e', script],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.add(child);
  return child;
}

const started = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.stdout?.once('data', resolve));
const ended = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));

describe('drainOnSignals', () => {
  it('on SIGTERM hands over what takes too long, at once and without counting the attempt, and exits with 0', async () => {
    const path = join(folder, 'drain.db');
    await using queue = createQueue({ url: `sqlite://${path}`, jobs: [workJob()] });
    const { id } = await queue.enqueue('work', { n: 1 });
    const waitForAbort = `await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)); throw ctx.signal.reason;`;
    const child = startWorker(path, waitForAbort);
    await started(child);
    const end = ended(child);
    child.kill('SIGTERM');
    expect(await end).toBe(0);
    expect(await queue.inspect.job(id)).toMatchObject({ state: 'ready', attempt: 0, failures: [] });
  });

  it('on a second signal ends at once', async () => {
    const path = join(folder, 'twice.db');
    await using queue = createQueue({ url: `sqlite://${path}`, jobs: [workJob()] });
    const { id } = await queue.enqueue('work', { n: 1 });
    // Without a second signal this drain would take an hour.
    const child = startWorker(path, 'await new Promise(() => undefined);', '1h');
    await started(child);
    const heard = started(child);
    const end = ended(child);
    child.kill('SIGINT');
    await heard;
    child.kill('SIGINT');
    expect(await end).toBe(130);
    expect((await queue.inspect.job(id))?.state).toBe('leased');
  });
});
