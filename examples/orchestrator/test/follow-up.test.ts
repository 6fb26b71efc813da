import { afterAll, beforeAll, expect, test } from 'vitest';
import { ciTables } from '../src/ci/await-checks.ts';
import { applyPullRequestNews } from '../src/ci/pull-request-news.ts';
import type { OpenDatabase } from '../src/db/open.ts';
import type { AgentSpec } from '../src/db/schema.ts';
import { settleCheckedRuns } from '../src/runs/checked.ts';
import { getRun } from '../src/runs/store.ts';
import { testDatabase } from './support/database.ts';
import { waitingRun } from './support/waiting-run.ts';

let database: OpenDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const repoId = 7;
const claude: AgentSpec = { type: 'claude', prompt: 'Add a parser.', session: 'old' };
const run = async (id: string | undefined) => (id ? await getRun(database.db, 'default', id) : undefined);

async function fail(sha: string, followUp: { attempts: number; agent?: AgentSpec }, agent: AgentSpec = claude) {
  const wish = { waitForChecks: true, followUp };
  const first = await waitingRun(
    database,
    { repoId, sha },
    { agent, ref: 'main', pullRequest: wish, budgetMicroUsd: 5 },
  );
  const [settled, next] = await settleCheckedRuns(database.db, { repoId, sha, state: 'failure', failing: ['lint'] });
  expect(settled).toBe(first);
  return { first: await run(first), next: await run(next) };
}

test('failed checks make a run that mends the same branch, with what failed in its prompt', async () => {
  const { first, next } = await fail('a'.repeat(40), { attempts: 2 });
  expect(first?.state).toBe('failed');
  expect(next).toMatchObject({
    state: 'queued',
    branch: first?.branch,
    ref: 'a'.repeat(40),
    follow_up: { of: first?.id, failing: ['lint'] },
    pull_request: { base: 'main', waitForChecks: true, followUp: { attempts: 1 } },
    budget_microusd: '5',
  });
  expect(next?.agent).toEqual({ type: 'claude', prompt: expect.stringMatching(/- lint\n.*Add a parser\.$/s) });
  const outbox = await database.db
    .selectFrom('outbox')
    .select('run_id')
    .where('run_id', '=', next?.id ?? '')
    .execute();
  expect(outbox).toHaveLength(1);
});

test('the agent goes on from its session, where that was kept', async () => {
  const commit = { repoId, sha: '9'.repeat(40) };
  const pullRequest = { waitForChecks: true, followUp: { attempts: 1 } };
  const id = await waitingRun(database, commit, { agent: claude, pullRequest });
  const { db } = database;
  await db.updateTable('runs').set({ session_id: 'new' }).where('id', '=', id).execute();
  const kept = { run_id: id, kind: 'session', object_key: 'k', sha256: '', size: 1 };
  await db.insertInto('artifacts').values(kept).execute();
  const [, next] = await settleCheckedRuns(db, { ...commit, state: 'failure', failing: ['lint'] });
  expect((await run(next))?.agent).toMatchObject({ type: 'claude', session: 'new' });
});

test('there are only so many of them, and none that nobody asked for', async () => {
  expect((await fail('b'.repeat(40), { attempts: 1 })).next?.pull_request?.followUp).toEqual({ attempts: 0 });
  expect((await fail('c'.repeat(40), { attempts: 0 })).next).toBeUndefined();
});

test('another agent can be named to mend', async () => {
  const agent: AgentSpec = { type: 'command', command: 'npm run fix' };
  const { next } = await fail('d'.repeat(40), { attempts: 1, agent });
  expect(next?.agent).toEqual(agent);
  expect(next?.pull_request?.followUp).toEqual({ attempts: 0, agent });
});

test('a pull request that is merged or closed ends the wait for its checks', async () => {
  const { db } = database;
  const [one, two] = [
    await waitingRun(database, { repoId: 71, sha: 'f'.repeat(40) }),
    await waitingRun(database, { repoId: 72, sha: 'f'.repeat(40) }),
  ];
  for (const id of [one, two]) {
    const { repo_id = '' } = (await run(id)) ?? {};
    const words = { head: 'h', base: 'b', head_sha: 's', title: 't', body: '' };
    await db
      .insertInto('prs')
      .values({ repo_id, number: 1, forge: 'github', ...words })
      .execute();
  }
  expect(await applyPullRequestNews(db, { kind: 'closed', repoId: 71, number: 1, merged: true })).toEqual([one]);
  expect(await applyPullRequestNews(db, { kind: 'closed', repoId: 72, number: 1, merged: false })).toEqual([two]);
  expect([await run(one), await run(two)]).toMatchObject([{ state: 'succeeded' }, { state: 'failed' }]);
  expect((await run(two))?.error).toMatchObject({ code: 'ERR_PULL_REQUEST_CLOSED' });
  await applyPullRequestNews(db, { kind: 'reopened', repoId: 72, number: 1 });
  const states = await ciTables(db).selectFrom('prs').select('state').orderBy('repo_id').execute();
  expect(states.map(({ state }) => state).toSorted()).toEqual(['merged', 'open']);
});
