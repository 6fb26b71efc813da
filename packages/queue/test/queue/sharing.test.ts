import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueue, type StoreErrorEvent } from '@millrace/queue';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import Libsql from 'libsql';
import { afterAll, describe, expect, it } from 'vitest';
import { aborted, deferred, workJob, workQueue } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-sharing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `queue-${++files}.db`);
const open = (path: string, options = {}) =>
  createQueue({
    adapter: sqliteAdapter({ path, durability: 'normal' }),
    jobs: [workJob({ keepResult: '1m' })],
    ...options,
  });

/** Blocks the event loop. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('queues on one SQLite file', () => {
  it('share jobs and wake each other', async () => {
    const path = newFile();
    await using producer = open(path);
    await using consumer = open(path);
    consumer.work({ work: (job) => job.payload.n + 1 }, { pollInterval: 8_000, lease: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const handle = await producer.enqueue('work', { n: 41 });
    expect(await handle.result({ signal: AbortSignal.timeout(5_000) })).toBe(42);
  });

  it('cancel each other’s running jobs', async () => {
    const path = newFile();
    const reason = deferred<unknown>();
    await using producer = open(path);
    await using consumer = open(path);
    const worker = consumer.work(
      {
        work: async (_job, ctx) => {
          reason.resolve(await aborted(ctx.signal));
          throw ctx.signal.reason;
        },
      },
      { pollInterval: 8_000, lease: 60_000 },
    );
    const { id } = await producer.enqueue('work', { n: 1 });
    await expect.poll(() => worker.health().running, { timeout: 10_000 }).toBe(1);
    await producer.cancel(id);
    expect(await reason.promise).toMatchObject({ code: 'ERR_JOB_CANCELLED' });
  });

  it('keep their leases while the event loop is blocked for longer than the lease', async () => {
    const path = newFile();
    await using busy = open(path);
    const attempts: number[] = [];
    const worker = busy.work(
      {
        work: async (_job, ctx) => {
          attempts.push(ctx.attempt);
          await new Promise((resolve) => setTimeout(resolve, 700));
          block(2_500);
          await new Promise((resolve) => setTimeout(resolve, 20));
          return ctx.signal.aborted;
        },
      },
      { lease: 1_000, margin: 100, pollInterval: 200 },
    );
    const handle = await busy.enqueue('work', { n: 1 });
    await expect.poll(() => worker.health().running, { timeout: 10_000 }).toBe(1);
    expect(await handle.result()).toBe(false);
    expect(attempts).toEqual([1]);
  });

  it('lose their leases when the event loop is blocked beyond the limit', async () => {
    const path = newFile();
    const signals: boolean[] = [];
    const lost: unknown[] = [];
    await using busy = open(path, { instrumentation: { onLeaseLost: (event: unknown) => lost.push(event) } });
    busy.work(
      {
        work: async (_job, ctx) => {
          if (ctx.attempt > 1) return 'second';
          block(2_500);
          await new Promise((resolve) => setTimeout(resolve, 100));
          signals.push(ctx.signal.aborted);
          return 'first';
        },
      },
      { lease: 1_000, margin: 100, pollInterval: 200, blockedLimit: 300, concurrency: 2 },
    );
    const handle = await busy.enqueue('work', { n: 1 });
    expect(await handle.result({ signal: AbortSignal.timeout(15_000) })).toBe('second');
    await expect.poll(() => signals, { timeout: 5_000 }).toEqual([true]);
    expect(lost).toHaveLength(1);
  });

  it('take over the jobs of a killed process', async () => {
    const path = newFile();
    const script = `
      import { createQueue, defineJob } from '@millrace/queue';
      import { sqliteAdapter } from '@millrace/queue/sqlite';
      import { z } from 'zod';
      const queue = createQueue({ adapter: sqliteAdapter({ path: ${JSON.stringify(path)} }), jobs: [defineJob('work', z.object({ n: z.number() }))] });
      queue.work({ work: () => { process.stdout.write('started'); return new Promise((resolve) => setTimeout(resolve, 1e8)); } }, { lease: 1000, pollInterval: 100 });
    `;
    await using queue = open(path);
    const handle = await queue.enqueue('work', { n: 7 });
    const child = spawn(
      process.execPath,
      ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '-e', script],
      { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    queue.work({ work: (_job, ctx) => ctx.attempt }, { lease: 2_000, pollInterval: 100 });
    expect(await handle.result({ signal: AbortSignal.timeout(15_000) })).toBe(2);
  });

  it('accept a connection that somebody has already', async () => {
    const database = new Libsql(newFile());
    await using queue = workQueue({ keepResult: '1m' }, { adapter: sqliteAdapter({ database }) });
    queue.work({ work: (job) => job.payload.n });
    expect(await (await queue.enqueue('work', { n: 5 })).result()).toBe(5);
    await queue.close();
    expect(database.open).toBe(true);
    database.close();
  });

  it('are chosen by URL', async () => {
    await using queue = createQueue({ url: `sqlite://${newFile()}`, jobs: [workJob({ keepResult: '1m' })] });
    queue.work({ work: (job) => job.payload.n });
    expect(await (await queue.enqueue('work', { n: 6 })).result()).toBe(6);
  });

  it('say so when the file is of a newer version, or no database', async () => {
    const path = newFile();
    const database = new Libsql(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await using queue = open(path);
    await expect(queue.ready()).rejects.toThrow(/newer version/);
    const errors: StoreErrorEvent[] = [];
    await using impossible = open(join(folder, 'queue-1.db', 'inside-a-file.db'), {
      instrumentation: { onStoreError: (event: StoreErrorEvent) => errors.push(event) },
    });
    await expect(impossible.enqueue('work', { n: 1 })).rejects.toMatchObject({ code: 'ERR_ADAPTER_UNAVAILABLE' });
    expect(errors[0]?.operation).toBe('enqueue');
  });
});
