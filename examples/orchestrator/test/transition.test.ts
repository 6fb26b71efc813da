import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import { RunCancelledError, RunFencedError } from '../src/runs/errors.ts';
import { getRun, requestCancel, runEventsAfter } from '../src/runs/store.ts';
import { takeRun } from '../src/runs/take.ts';
import { applyMove, type Hold, moveRun } from '../src/runs/transition.ts';
import { submit, testDatabase } from './support/database.ts';

let database: OpenDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const holdOf = (runId: string, fence: number, dispatch = 1): Hold => ({
  runId,
  fence,
  dispatch,
  workerId: `worker-${fence}`,
});
const stateOf = async (id: string) => (await getRun(database.db, 'default', id))?.state;

describe('takeRun', () => {
  test('gives a queued run to the first delivery and counts the attempt', async () => {
    const id = await submit(database);
    const run = await takeRun(database.db, holdOf(id, 1));
    expect(run).toMatchObject({ state: 'admitted', attempt: 1, worker_id: 'worker-1', fence: '1' });
  });

  test('a later delivery takes it over and begins again; the earlier one can write nothing more', async () => {
    const id = await submit(database);
    const [old, next] = [holdOf(id, 1), holdOf(id, 2)];
    await takeRun(database.db, old);
    await moveRun(database.db, old, { from: 'admitted', to: 'preparing' });
    const taken = await takeRun(database.db, next);
    expect(taken).toMatchObject({ state: 'admitted', attempt: 2, worker_id: 'worker-2' });
    await expect(moveRun(database.db, old, { from: 'admitted', to: 'preparing' })).rejects.toThrow(RunFencedError);
    await moveRun(database.db, next, { from: 'admitted', to: 'preparing' });
    const events = await runEventsAfter(database.db, id, 0);
    expect(events.map((event) => [event.seq, event.type, event.from_state, event.to_state])).toEqual([
      [1, 'state', null, 'queued'],
      [2, 'state', 'queued', 'admitted'],
      [3, 'state', 'admitted', 'preparing'],
      [4, 'taken_over', 'preparing', 'admitted'],
      [5, 'state', 'admitted', 'preparing'],
    ]);
  });

  test('an older delivery, the same one again and one of another dispatch take nothing', async () => {
    const id = await submit(database);
    await takeRun(database.db, holdOf(id, 5));
    expect(await takeRun(database.db, holdOf(id, 4))).toBeUndefined();
    expect(await takeRun(database.db, holdOf(id, 5))).toBeUndefined();
    expect(await takeRun(database.db, holdOf(id, 9, 2))).toBeUndefined();
  });

  test('tells what the run was before, and whether any delivery has had it', async () => {
    const id = await submit(database);
    const [first, again] = [await takeRun(database.db, holdOf(id, 1)), await takeRun(database.db, holdOf(id, 2))];
    expect(first).toMatchObject({ state_before: 'queued', is_new: true, repo_url: expect.stringContaining('://') });
    expect(again).toMatchObject({ state_before: 'admitted', is_new: false });
    await moveRun(database.db, holdOf(id, 2), { from: 'admitted', to: 'queued', redispatch: true });
    expect(await takeRun(database.db, holdOf(id, 1, 2))).toMatchObject({ state_before: 'queued', is_new: false });
  });

  test('a run with a commit goes on from where it is', async () => {
    const id = await submit(database);
    const hold = holdOf(id, 1);
    await takeRun(database.db, hold);
    for (const [from, to] of [
      ['admitted', 'preparing'],
      ['preparing', 'running'],
      ['running', 'collecting'],
      ['collecting', 'pushing'],
    ] as const) {
      await moveRun(database.db, hold, { from, to });
    }
    expect(await takeRun(database.db, holdOf(id, 2))).toMatchObject({ state: 'pushing', attempt: 2 });
  });

  test('of many concurrent deliveries the newest holds the run in the end, and only that one moves it', async () => {
    const id = await submit(database);
    const holds = Array.from({ length: 20 }, (_, index) => holdOf(id, index + 1));
    await Promise.all(holds.map((hold) => takeRun(database.db, hold)));
    const moved = await Promise.allSettled(
      holds.map((hold) => moveRun(database.db, hold, { from: 'admitted', to: 'preparing' })),
    );
    expect(moved.map((result) => result.status === 'fulfilled')).toEqual(holds.map((hold) => hold.fence === 20));
  });
});

describe('moveRun', () => {
  test('refuses an edge that the state machine does not have, before it asks the database', async () => {
    const move = moveRun(database.db, holdOf('none', 1), { from: 'pushing', to: 'queued' });
    await expect(move).rejects.toThrow('A run cannot go from pushing to queued.');
  });

  test('writes the event and the outbox row with the state, or none of them', async () => {
    const id = await submit(database);
    const hold = holdOf(id, 1);
    await database.db.deleteFrom('outbox').where('run_id', '=', id).execute();
    await takeRun(database.db, hold);
    await moveRun(database.db, hold, { from: 'admitted', to: 'queued', redispatch: true });
    const rows = await database.db.selectFrom('outbox').selectAll().where('run_id', '=', id).execute();
    expect(rows).toMatchObject([{ dispatch: 2 }]);
    expect(await getRun(database.db, 'default', id)).toMatchObject({ state: 'queued', dispatch: 2 });

    const before = await runEventsAfter(database.db, id, 0);
    await expect(moveRun(database.db, hold, { from: 'queued', to: 'admitted', redispatch: true })).rejects.toThrow(
      RunFencedError,
    );
    expect(await runEventsAfter(database.db, id, 0)).toEqual(before);
    expect(await database.db.selectFrom('outbox').select('id').where('run_id', '=', id).execute()).toHaveLength(1);
  });

  test('every end has its time, no other state has one', async () => {
    const id = await submit(database);
    const hold = holdOf(id, 1);
    expect((await takeRun(database.db, hold))?.finished_at).toBeNull();
    const error = JSON.stringify({ code: 'ERR_X', message: 'x' });
    const failed = await moveRun(database.db, hold, { from: 'admitted', to: 'failed', set: { error } });
    expect(failed.finished_at).toBeInstanceOf(Date);
    expect(await takeRun(database.db, holdOf(id, 2))).toBeUndefined();
  });
});

describe('requestCancel', () => {
  test('ends a run that nobody holds and takes its job out of the outbox', async () => {
    const id = await submit(database);
    expect(await requestCancel(database.db, 'default', id)).toBe('cancelled');
    expect(await stateOf(id)).toBe('cancelled');
    expect(await database.db.selectFrom('outbox').select('id').where('run_id', '=', id).execute()).toEqual([]);
    expect(await requestCancel(database.db, 'default', id)).toBe('cancelled');
  });

  test('marks a run that is held; from then on its worker can only end it', async () => {
    const id = await submit(database);
    const hold = holdOf(id, 1);
    await takeRun(database.db, hold);
    expect(await requestCancel(database.db, 'default', id)).toBe('requested');
    expect(await requestCancel(database.db, 'default', id)).toBe('requested');
    await expect(moveRun(database.db, hold, { from: 'admitted', to: 'preparing' })).rejects.toThrow(RunCancelledError);
    await moveRun(database.db, hold, { from: 'admitted', to: 'cancelled' });
    expect((await runEventsAfter(database.db, id, 0)).map((event) => event.type)).toEqual([
      'state',
      'state',
      'cancel_requested',
      'state',
    ]);
    expect(await requestCancel(database.db, 'default', id)).toBe('cancelled');
  });

  test('comes too late for a run that ended, and finds no run of another tenant', async () => {
    const id = await submit(database);
    await applyMove(database.db, id, { from: 'queued', to: 'failed' });
    expect(await requestCancel(database.db, 'default', id)).toBe('finished');
    expect(await requestCancel(database.db, 'somebody', id)).toBeUndefined();
  });
});
