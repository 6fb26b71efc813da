import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import { settleCheckedRuns } from '../src/runs/checked.ts';
import { getRun, requestCancel } from '../src/runs/store.ts';
import { testDatabase } from './support/database.ts';
import { waitingRun } from './support/waiting-run.ts';

let database: OpenDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const repoId = 7;

const waiting = (sha: string, forgeRepoId = repoId) => waitingRun(database, { repoId: forgeRepoId, sha });

const run = (id: string) => getRun(database.db, 'default', id);

test('checks end the runs of their commit, and no others', async () => {
  const [good, bad, other] = [await waiting('a'), await waiting('b'), await waiting('c')];
  const elsewhere = await waiting('a', 8);
  expect(await settleCheckedRuns(database.db, { repoId, sha: 'a', state: 'success' })).toEqual([good]);
  expect(
    await settleCheckedRuns(database.db, { repoId, sha: 'b', state: 'failure', failing: ['lint', 'test'] }),
  ).toEqual([bad]);
  expect(await run(good)).toMatchObject({ state: 'succeeded' });
  expect(await run(bad)).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_CHECKS_FAILED', message: 'Checks failed: lint, test.' },
  });
  expect(await run(other)).toMatchObject({ state: 'ci_waiting' });
  expect(await run(elsewhere), 'the same commit in another repository').toMatchObject({ state: 'ci_waiting' });
  expect(await settleCheckedRuns(database.db, { repoId, sha: 'a', state: 'failure' })).toEqual([]);
});

test('a run that waits for checks is held by no worker: cancelling ends it at once', async () => {
  const id = await waiting('d');
  expect(await requestCancel(database.db, 'default', id)).toBe('cancelled');
  expect(await settleCheckedRuns(database.db, { repoId, sha: 'd', state: 'success' })).toEqual([]);
});
