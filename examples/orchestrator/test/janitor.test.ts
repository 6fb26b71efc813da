import { startRedis, waitFor } from '@millrace/test-support';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import { memoryRelay } from '../src/relay/memory.ts';
import { recoverLostRuns, resumeParkedRuns } from '../src/roles/janitor.ts';
import { createOutboxRelay, type Dispatch } from '../src/runs/outbox.ts';
import { enqueueDispatch, jobIdOf, openRunQueue, type RunQueue } from '../src/runs/queue.ts';
import { getRun } from '../src/runs/store.ts';
import { takeRun } from '../src/runs/take.ts';
import { type Hold, moveRun } from '../src/runs/transition.ts';
import { submit, testDatabase } from './support/database.ts';

let database: OpenDatabase;
let queue: RunQueue;
const relay = memoryRelay();
beforeAll(async () => {
  database = await testDatabase();
  queue = openRunQueue('memory:');
});
afterAll(async () => {
  await queue.close();
  await database.close();
});

const run = (id: string) => getRun(database.db, 'default', id);
const hold = (runId: string, fence: number, dispatch = 1): Hold => ({ runId, fence, dispatch, workerId: 'w' });

async function silentRun(): Promise<string> {
  const id = await submit(database);
  await database.db.deleteFrom('outbox').where('run_id', '=', id).execute();
  const longAgo = sql<Date>`now() - interval '10 minutes'`;
  await database.db
    .updateTable('runs')
    .set({ job_id: jobIdOf(id, 1), updated_at: longAgo })
    .where('id', '=', id)
    .execute();
  return id;
}

test('a run whose job the queue does not know is handed over anew, and outranks the old deliveries', async () => {
  const id = await silentRun();
  await takeRun(database.db, hold(id, 900));
  await database.db
    .updateTable('runs')
    .set({ updated_at: sql<Date>`now() - interval '10 minutes'` })
    .where('id', '=', id)
    .execute();
  expect(await recoverLostRuns({ db: database.db, queue })).toBe(1);
  expect(await run(id)).toMatchObject({ dispatch: 2, fence: '0', state: 'admitted' });
  expect(await takeRun(database.db, hold(id, 901))).toBeUndefined();
  expect(await takeRun(database.db, hold(id, 1, 2))).toMatchObject({ state: 'admitted', attempt: 2 });
  expect(await recoverLostRuns({ db: database.db, queue })).toBe(0);
});

test('a run whose job waits in the queue is left alone', async () => {
  const id = await silentRun();
  const dispatch = { runId: id, dispatch: 1, tenantId: 'default', priority: 0, traceparent: null };
  await Promise.all([dispatch, dispatch].map((one) => enqueueDispatch(queue, one)));
  expect((await queue.inspect.counts()).ready).toBe(1);
  expect(await recoverLostRuns({ db: database.db, queue })).toBe(0);
  expect(await run(id)).toMatchObject({ dispatch: 1 });
});

test('a lost run is found however many wait whose jobs the queue knows', async () => {
  const waiting = await Promise.all(Array.from({ length: 120 }, silentRun));
  for (const runId of waiting) {
    await enqueueDispatch(queue, { runId, dispatch: 1, tenantId: 'default', priority: 0, traceparent: null });
  }
  const lost = await silentRun();
  expect(await recoverLostRuns({ db: database.db, queue })).toBe(1);
  expect(await run(lost)).toMatchObject({ dispatch: 2 });
});

test('a parked run goes on by itself when its time has come, and not before', async () => {
  const id = await submit(database);
  await takeRun(database.db, hold(id, 1));
  const park = (until: Date) => ({ parked_reason: 'budget', parked_until: until });
  await moveRun(database.db, hold(id, 1), { from: 'admitted', to: 'parked', set: park(new Date(Date.now() + 60_000)) });
  expect(await takeRun(database.db, hold(id, 2))).toBeUndefined();
  expect(await resumeParkedRuns({ db: database.db, relay })).toBe(0);
  await database.db.updateTable('runs').set({ parked_until: sql<Date>`now()` }).where('id', '=', id).execute();
  expect(await resumeParkedRuns({ db: database.db, relay })).toBe(1);
  expect(await run(id)).toMatchObject({ state: 'queued', dispatch: 2, parked_reason: null, parked_until: null });
  expect(await takeRun(database.db, hold(id, 1, 2))).toMatchObject({ state: 'admitted' });
});

// About a second of work, but half a minute on a machine that leaves it a thirtieth of a core: the limits allow for that.
const patience = { timeout: 60_000 };
test('after the queue lost all it had, every run that was under way is handed over again, once', {
  timeout: 150_000,
}, async () => {
  const { db } = database;
  await using redis = await startRedis({ own: true });
  await using lost = openRunQueue(redis.url);
  const enqueue = (dispatches: readonly Dispatch[]) =>
    Promise.all(dispatches.map((dispatch) => enqueueDispatch(lost, dispatch)));
  const outbox = createOutboxRelay({ db, relay, pollInterval: 20, enqueue, onError: () => {} });
  const untilHandedOver = () =>
    waitFor(async () => (await db.selectFrom('outbox').select('id').execute()).length === 0, patience);
  const ready = async (): Promise<number> => (await lost.inspect.counts()).ready;
  try {
    const ids = await Promise.all(Array.from({ length: 30 }, () => submit(database)));
    const silence = () =>
      db
        .updateTable('runs')
        .set({ updated_at: sql<Date>`now() - interval '10 minutes'` })
        .where('id', 'in', ids)
        .execute();
    await untilHandedOver();
    expect(await ready()).toBeGreaterThanOrEqual(30);
    for (const id of ids.slice(0, 10)) await takeRun(db, hold(id, 7));

    await redis.restart(); // without persistence: nothing is left
    await waitFor(async () => (await ready()) === 0, patience);
    await silence();
    expect(await recoverLostRuns({ db, queue: lost })).toBeGreaterThanOrEqual(30);
    await untilHandedOver();
    const jobs = await Promise.all(ids.map((id) => lost.inspect.job(jobIdOf(id, 2))));
    expect(jobs.filter((job) => job?.state === 'ready')).toHaveLength(30);

    const handedOver = await ready();
    await silence();
    expect(await recoverLostRuns({ db, queue: lost })).toBe(0);
    expect(await ready()).toBe(handedOver);
    for (const id of ids) {
      expect(await takeRun(db, hold(id, 8))).toBeUndefined();
      expect(await takeRun(db, hold(id, 1, 2))).toMatchObject({ state: 'admitted' });
    }
  } finally {
    await outbox.stop();
  }
});
