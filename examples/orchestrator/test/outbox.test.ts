import { waitFor } from '@millrace/test-support';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import type { Loop } from '../src/loop.ts';
import { memoryRelay } from '../src/relay/memory.ts';
import { createOutboxRelay, type Dispatch, type DispatchAnswer } from '../src/runs/outbox.ts';
import { getRun } from '../src/runs/store.ts';
import { submit, testDatabase } from './support/database.ts';

let database: OpenDatabase;
const loops: Loop[] = [];
beforeAll(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()));
  await database.db.deleteFrom('runs').execute();
});
afterAll(() => database.close());

function start(
  enqueue: (dispatches: readonly Dispatch[]) => Promise<readonly DispatchAnswer[]>,
  errors: unknown[] = [],
) {
  const relay = memoryRelay();
  const loop = createOutboxRelay({
    db: database.db,
    relay,
    pollInterval: 20,
    enqueue,
    onError: (error) => errors.push(error),
  });
  loops.push(loop);
  return loop;
}

const accept = async (dispatches: readonly Dispatch[]): Promise<DispatchAnswer[]> =>
  dispatches.map((dispatch) => ({ accepted: true, jobId: `job-${dispatch.runId}` }));
const waiting = () => database.db.selectFrom('outbox').select('run_id').execute();

test('hands every run over, notes its job and empties the outbox', async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, () => submit(database)));
  const seen: string[] = [];
  start(async (dispatches) => {
    seen.push(...dispatches.map((dispatch) => dispatch.runId));
    return await accept(dispatches);
  });
  await waitFor(async () => (await waiting()).length === 0);
  expect(seen.sort()).toEqual([...ids].sort());
  expect(await getRun(database.db, 'default', ids[0] ?? '')).toMatchObject({ job_id: `job-${ids[0]}` });
});

test('relays of several processes never hand over the same row at the same time', async () => {
  await Promise.all(Array.from({ length: 30 }, () => submit(database)));
  const seen: string[] = [];
  const slowly = async (dispatches: readonly Dispatch[]): Promise<DispatchAnswer[]> => {
    seen.push(...dispatches.map((dispatch) => dispatch.runId));
    await new Promise((resolve) => setTimeout(resolve, 50));
    return await accept(dispatches);
  };
  for (let count = 0; count < 3; count += 1) start(slowly);
  await waitFor(async () => (await waiting()).length === 0);
  expect(seen).toHaveLength(30);
  expect(new Set(seen).size).toBe(30);
});

test('a failure after the queue accepted hands the run over again, never loses it', async () => {
  const id = await submit(database);
  const errors: unknown[] = [];
  const seen: Dispatch[] = [];
  start(async (dispatches) => {
    seen.push(...dispatches);
    if (seen.length === 1) throw new Error('the process died here');
    return await accept(dispatches);
  }, errors);
  await waitFor(async () => (await waiting()).length === 0);
  expect(seen.map(({ runId, dispatch }) => [runId, dispatch])).toEqual([
    [id, 1],
    [id, 1],
  ]);
  expect(errors).toHaveLength(1);
});

test('a full queue keeps the run in the outbox until it has room', async () => {
  await submit(database);
  let answers = 0;
  start(async (dispatches) => {
    answers += 1;
    return answers === 1 ? [{ accepted: false, retryAfter: 50 }] : await accept(dispatches);
  });
  await waitFor(async () => (await waiting()).length === 0);
  expect(answers).toBe(2);
});
