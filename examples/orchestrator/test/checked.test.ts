import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import { settleCheckedRuns } from '../src/runs/checked.ts';
import { getRun, requestCancel } from '../src/runs/store.ts';
import { type Hold, moveRun, takeRun } from '../src/runs/transition.ts';
import { submit, testDatabase } from './support/database.ts';

let database: OpenDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

async function waitingRun(sha: string): Promise<string> {
  const id = await submit(database);
  const hold: Hold = { runId: id, dispatch: 1, fence: 1, workerId: 'w' };
  await takeRun(database.db, hold);
  for (const [from, to] of [
    ['admitted', 'preparing'],
    ['preparing', 'running'],
    ['running', 'collecting'],
    ['collecting', 'pushing'],
    ['pushing', 'pr_open'],
    ['pr_open', 'ci_waiting'],
  ] as const) {
    await moveRun(database.db, hold, { from, to, ...(to === 'pushing' && { set: { commit_sha: sha } }) });
  }
  return id;
}

const run = (id: string) => getRun(database.db, 'default', id);

test('checks end the runs of their commit, and no others', async () => {
  const [good, bad, other] = [await waitingRun('a'), await waitingRun('b'), await waitingRun('c')];
  expect(await settleCheckedRuns(database.db, { sha: 'a', state: 'success' })).toEqual([good]);
  expect(await settleCheckedRuns(database.db, { sha: 'b', state: 'failure', failing: ['lint', 'test'] })).toEqual([
    bad,
  ]);
  expect(await run(good)).toMatchObject({ state: 'succeeded' });
  expect(await run(bad)).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_CHECKS_FAILED', message: 'Checks failed: lint, test.' },
  });
  expect(await run(other)).toMatchObject({ state: 'ci_waiting' });
  expect(await settleCheckedRuns(database.db, { sha: 'a', state: 'failure' })).toEqual([]);
});

test('a run that waits for checks is held by no worker: cancelling ends it at once', async () => {
  const id = await waitingRun('d');
  expect(await requestCancel(database.db, 'default', id)).toBe('cancelled');
  expect(await settleCheckedRuns(database.db, { sha: 'd', state: 'success' })).toEqual([]);
});
