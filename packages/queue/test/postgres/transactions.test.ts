import { startPostgres, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createQueue, defineJob, type Queue, StaleLeaseError } from '../../src/index.ts';
import { completeInTransaction, postgresAdapter } from '../../src/postgres.ts';

const work = defineJob('work', z.object({ n: z.number() }), { maxAttempts: 3, backoff: () => 10 });

let server: Awaited<ReturnType<typeof startPostgres>>;
let pool: pg.Pool;
let queues = 0;

beforeAll(async () => {
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 10 });
  pool.on('error', () => undefined);
  await pool.query('CREATE TABLE effect (job text PRIMARY KEY, fence bigint)');
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});

function open(): Queue<readonly [typeof work]> {
  queues += 1;
  return createQueue({ adapter: postgresAdapter({ pool }), jobs: [work], name: `q${queues}` });
}

async function transaction<T>(body: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const value = await body(client);
    await client.query('COMMIT');
    return value;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

describe('enqueue in a transaction of the caller', () => {
  it('exists if and only if the transaction commits', async () => {
    await using queue = open();
    await transaction(async (tx) => {
      await queue.enqueue('work', { n: 1 }, { tx, id: 'kept' });
      expect((await queue.inspect.counts()).ready).toBe(0);
    });
    const rolledBack = transaction(async (tx) => {
      await queue.enqueue('work', { n: 2 }, { tx, id: 'gone' });
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect((await queue.inspect.counts()).ready).toBe(1);
    expect((await queue.inspect.job('kept'))?.state).toBe('ready');
    expect(await queue.inspect.job('gone')).toBeUndefined();
  });

  it('an open transaction holds nobody up: others enqueue, claim and finish', async () => {
    await using queue = open();
    const done: number[] = [];
    await transaction(async (tx) => {
      await queue.enqueue('work', { n: 1 }, { tx });
      queue.work({ work: ({ payload }) => void done.push(payload.n) }, { pollInterval: 50 });
      await queue.enqueue('work', { n: 2 });
      await waitFor(() => done.includes(2), { what: 'the job outside of the transaction' });
      expect(done).toEqual([2]);
    });
    await waitFor(() => done.length === 2, { what: 'the job of the transaction' });
  });

  it('keys, marks and flows count there, too', async () => {
    await using queue = open();
    await queue.limits.set({ limits: { maxWaiting: 3 } });
    await transaction(async (tx) => {
      await queue.enqueue('work', { n: 1 }, { tx, id: 'first', dedupe: 'k' });
      await queue.enqueue('work', { n: 2 }, { tx, id: 'second', dedupe: 'k' });
    });
    await transaction((tx) =>
      queue.enqueueFlow({ name: 'work', payload: { n: 3 }, children: [{ name: 'work', payload: { n: 4 } }] }, { tx }),
    );
    const order: number[] = [];
    const full = transaction((tx) =>
      queue.enqueueMany(
        [5, 6, 7, 8].map((n) => ({ name: 'work' as const, payload: { n } })),
        { tx },
      ),
    );
    expect((await full).every(({ status }) => status === 'rejected')).toBe(true);
    queue.work({ work: ({ payload }) => void order.push(payload.n) }, { concurrency: 1, pollInterval: 50 });
    await waitFor(() => order.length === 3, { what: 'the first, the child and its parent' });
    expect(order).toEqual([1, 4, 3]);
  });

  it('says what is wrong with a transaction that cannot run a statement', async () => {
    await using queue = open();
    await expect(queue.enqueue('work', { n: 1 }, { tx: {} })).rejects.toThrow(/query\(text, values\)/);
  });
});

describe('complete in a transaction of the worker', () => {
  it('the effect and the acknowledgement are one', async () => {
    await using queue = open();
    const attempts: number[] = [];
    queue.work(
      {
        work: (job, ctx) =>
          transaction(async (tx) => {
            attempts.push(job.attempt);
            await tx.query('INSERT INTO effect VALUES ($1, $2)', [job.id, ctx.fence]);
            await completeInTransaction(tx, ctx, { queue: queue.name });
            if (job.attempt === 1) throw new Error('rolls back');
          }),
      },
      { pollInterval: 50 },
    );
    const { id } = await queue.enqueue('work', { n: 1 });
    await waitFor(async () => (await queue.inspect.job(id)) === undefined, { what: 'the end of the job' });
    expect(attempts).toEqual([1, 2]);
    expect((await pool.query('SELECT count(*)::int AS n FROM effect WHERE job = $1', [id])).rows[0].n).toBe(1);
  });

  it('a failure after the commit does not run the job again', async () => {
    await using queue = open();
    let runs = 0;
    queue.work(
      {
        work: async (_job, ctx) => {
          runs += 1;
          await transaction((tx) => completeInTransaction(tx, ctx, { queue: queue.name }));
          throw new Error('too late');
        },
      },
      { pollInterval: 50 },
    );
    const { id } = await queue.enqueue('work', { n: 1 });
    await waitFor(async () => (await queue.inspect.job(id)) === undefined, { what: 'the end of the job' });
    expect(runs).toBe(1);
    expect((await queue.inspect.counts()).dead).toBe(0);
  });

  it('a worker that dies after its commit has done the job; one that dies before has not', async () => {
    const adapter = postgresAdapter({ pool });
    const storage = await adapter.open({
      queue: `raw${process.pid}`,
      clock: (await import('../../src/clock.ts')).systemClock,
      random: Math.random,
    });
    const base = {
      lostCalls: [],
      settle: [],
      extend: [],
      progress: [],
      housekeeping: 100,
      end: false,
      claim: 0,
    } as const;
    const job = (id: string) => ({
      id,
      name: 'w',
      payload: '1',
      bytes: 1,
      tenant: '',
      priority: 0,
      delay: 0,
      maxAttempts: 5,
      cost: 0,
      keepResult: 0,
      children: 0,
    });
    await storage.enqueue({ jobs: [job('before'), job('after')] });
    const { claimed } = await storage.exchange({
      ...base,
      session: 'dies',
      begin: true,
      lease: 300,
      call: 1,
      claim: 2,
    });
    const [before, after] = claimed;
    if (before === undefined || after === undefined) throw new Error('two jobs must be claimable');
    const lost = await pool.connect();
    await lost.query('BEGIN');
    await completeInTransaction(lost, { jobId: before.id, fence: before.fence }, { queue: `raw${process.pid}` });
    await transaction((tx) =>
      completeInTransaction(tx, { jobId: after.id, fence: after.fence }, { queue: `raw${process.pid}` }),
    );
    const next = (call: number) =>
      storage.exchange({ ...base, session: 'next', begin: call === 1, lease: 60_000, call, claim: 5 });
    let call = 1;
    await next(call);
    // The lease is over, but its transaction still decides: nobody waits for it, nobody takes the job.
    await waitFor(async () => (await storage.control('counts', {})).sessions === 1, { what: 'the end of the session' });
    expect((await next(++call)).claimed).toEqual([]);
    await lost.query('ROLLBACK');
    lost.release();
    await waitFor(
      async () => (await next(++call)).claimed.some(({ id, attempt }) => id === 'before' && attempt === 2),
      {
        what: 'the second attempt of the job that was not done',
      },
    );
    expect(await storage.control('job', { id: 'after' })).toBeUndefined();
    await expect(
      transaction((tx) =>
        completeInTransaction(tx, { jobId: before.id, fence: before.fence }, { queue: `raw${process.pid}` }),
      ),
    ).rejects.toThrow(StaleLeaseError);
    await storage.close();
    await adapter.close();
  });
});
