import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ciTables, settleByRollup, settleWithoutChecks } from '../../src/ci/await-checks.ts';
import { saveObservations } from '../../src/ci/checks.ts';
import type { Observation } from '../../src/ci/observation.ts';
import { noteHeard, type PollSchedule } from '../../src/ci/poll-targets.ts';
import { type PollerOptions, pollBudget, pollDue } from '../../src/ci/poller.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import { type Forge, ForgeError } from '../../src/forge/forge.ts';
import { isWaitedFor } from '../../src/runs/checked.ts';
import { getRun } from '../../src/runs/store.ts';
import { testDatabase } from '../support/database.ts';
import { type ForgeCommit, waitingRun } from '../support/waiting-run.ts';

const second = 1000;
const minute = 60 * second;
const schedule: PollSchedule = {
  silence: 2 * minute,
  firstDelay: 30 * second,
  maxDelay: 5 * minute,
  slowPoll: 60 * minute,
  noChecks: 10 * minute,
  hook: 'all',
};

let database: OpenDatabase;
/** The time of this test, far from the database's own: the clock is compressed, and stands still while nobody moves it. */
let time: number;
const now = () => sql<Date>`${new Date(time)}::timestamptz`;
/** What the forge says about a commit; nothing where it says nothing. */
const truth = new Map<string, Observation[]>();
const calls: { readonly at: number; readonly sha: string; readonly sources: readonly string[] }[] = [];
let trouble: ForgeError | undefined;

const forge = {
  async readChecks({ sha }, sources) {
    calls.push({ at: time, sha, sources });
    if (trouble) throw trouble;
    return truth.get(sha) ?? [];
  },
} satisfies Partial<Forge> as unknown as Forge;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  time = Date.now() + 3_600_000;
  truth.clear();
  calls.splice(0);
  trouble = undefined;
  for (const table of ['poll_targets', 'webhook_sources', 'ci_checks', 'ci_rollups'] as const) {
    await ciTables(database.db).deleteFrom(table).execute();
  }
});

let number = 0;
async function wait(repoId = 7): Promise<ForgeCommit & { readonly runId: string }> {
  number += 1;
  const commit = { repoId, sha: `${number}`.padStart(40, '0') };
  const runId = await waitingRun(database, commit);
  const made = { created_at: new Date(time), next_at: new Date(time) };
  await sql`UPDATE poll_targets SET created_at = ${made.created_at}, next_at = ${made.next_at} WHERE sha = ${commit.sha}`.execute(
    database.db,
  );
  return { ...commit, runId };
}

/** A webhook tells of a check. */
async function report(found: Observation): Promise<void> {
  await database.db.transaction().execute(async (tx) => {
    const [change] = await saveObservations(ciTables(tx), [found]);
    if (change) await settleByRollup(tx, found, change.rollup, 'webhook');
  });
}

const check = (
  { repoId, sha }: ForgeCommit,
  name: string,
  conclusion: 'success' | 'failure' | undefined,
): Observation => ({
  repoId,
  sha,
  source: 'check_run',
  key: `1/${name}`,
  parent: undefined,
  name,
  objectId: 1,
  attempt: 1,
  status: conclusion ? 'completed' : 'in_progress',
  conclusion,
  observedAt: conclusion ? 2 : 1,
  url: undefined,
});

function poller(callsPerHour = 1_000_000): PollerOptions {
  return {
    db: ciTables(database.db),
    forgeOf: () => forge,
    schedule,
    budget: pollBudget(callsPerHour),
    pollInterval: 1,
    isWaitedFor: (_, target) => isWaitedFor(database.db, target),
    async onAnswer(tx, { repoId, sha, age }, rollup) {
      const plain = tx as unknown as OpenDatabase['db'];
      if (rollup.state === 'none' && age >= schedule.noChecks) await settleWithoutChecks(plain, { repoId, sha });
      else await settleByRollup(plain, { repoId, sha }, rollup, 'answer');
    },
    onError: () => {},
    now,
  };
}

/** Lets time pass in steps; the poller looks at each of them. */
async function pass(
  duration: number,
  options: PollerOptions = poller(),
  onStep: () => Promise<unknown> = async () => {},
) {
  for (const end = time + duration; time < end; ) {
    time += 5 * second;
    await onStep();
    await pollDue(options);
  }
}

const heard = (repoId = 7) => noteHeard(ciTables(database.db), repoId, new Date(time), 0);
const stateOf = async (id: string) => (await getRun(database.db, 'default', id))?.state;

describe('webhooks that fall silent for ten minutes', () => {
  test('the fallback switches itself on, has every state right within 60 s, and switches itself off', async () => {
    const commits = await Promise.all(Array.from({ length: 20 }, () => wait()));
    const unfinished = await wait();
    truth.set(unfinished.sha, [check(unfinished, 'slow', undefined)]);
    for (const commit of [...commits, unfinished]) await report(check(commit, 'test', undefined));
    await pass(10 * minute, poller(), heard);
    expect(calls, 'while webhooks come nobody is asked').toEqual([]);

    const silenceBegan = time;
    for (const [index, commit] of commits.entries()) {
      truth.set(commit.sha, [check(commit, 'test', index % 2 ? 'success' : 'failure')]);
    }
    await pass(schedule.silence - 5 * second);
    expect(calls).toEqual([]);
    await pass(minute + 5 * second);
    const states = await Promise.all(commits.map(({ runId }) => stateOf(runId)));
    expect(states).toEqual(commits.map((_, index) => (index % 2 ? 'succeeded' : 'failed')));
    await pass(silenceBegan + 10 * minute - time);
    const during = calls.length;
    expect(calls.filter(({ sha }) => sha !== unfinished.sha)).toHaveLength(commits.length);

    await heard();
    await pass(30 * minute, poller(), heard);
    expect(calls.length, 'webhooks are back').toBe(during);
    expect(await stateOf(unfinished.runId)).toBe('ci_waiting');
  });

  test('questions about one commit become seldom, with jitter, and quick again in the next silence', async () => {
    const commit = await wait();
    truth.set(commit.sha, [check(commit, 'slow', undefined)]);
    await pass(40 * minute);
    const gaps = calls.slice(1).map(({ at }, index) => (at - (calls[index]?.at ?? 0)) / second);
    expect(gaps.length).toBeLessThan(16);
    expect(gaps[0]).toBeGreaterThanOrEqual(22);
    expect(gaps[0]).toBeLessThanOrEqual(45);
    expect(Math.min(...gaps.slice(4))).toBeGreaterThanOrEqual(225);
    expect(new Set(gaps.slice(4)).size).toBeGreaterThan(1);
    const before = calls.length;
    await heard();
    await pass(schedule.silence + minute);
    expect(calls.length - before).toBeGreaterThanOrEqual(2);
  });

  test('asking costs no more than it may, and goes on when it may again', async () => {
    const commits = await Promise.all(Array.from({ length: 12 }, () => wait()));
    for (const commit of commits) truth.set(commit.sha, [check(commit, 'test', 'success')]);
    await pass(10 * minute, poller(40));
    // Ten at once, two calls a commit: its check runs and its statuses.
    expect(calls).toHaveLength(5);
    await pass(10 * minute);
    expect(await Promise.all(commits.map(({ runId }) => stateOf(runId)))).toEqual(commits.map(() => 'succeeded'));
  });

  test('a forge that fails is asked again when it says', async () => {
    const commit = await wait();
    truth.set(commit.sha, [check(commit, 'test', 'success')]);
    trouble = new ForgeError('down', { retryable: true, retryAfter: 7 * minute });
    await pass(schedule.silence + 5 * minute);
    expect(calls).toHaveLength(1);
    trouble = undefined;
    await pass(3 * minute);
    expect(await stateOf(commit.runId)).toBe('succeeded');
  });
});

test('with a hook per repository, the silence of one is not covered by another that speaks', async () => {
  const [quiet, lively] = [await wait(7), await wait(8)];
  for (const commit of [quiet, lively]) truth.set(commit.sha, [check(commit, 'test', 'success')]);
  await pass(4 * minute, { ...poller(), schedule: { ...schedule, hook: 'repo' } }, () => heard(8));
  expect([await stateOf(quiet.runId), await stateOf(lively.runId)]).toEqual(['succeeded', 'ci_waiting']);
});

test('a commit that webhooks call good passes after the forge was asked whether that is all', async () => {
  const commit = await wait();
  truth.set(commit.sha, [check(commit, 'lint', 'success'), check(commit, 'test', undefined)]);
  await report(check(commit, 'lint', 'success'));
  expect(await stateOf(commit.runId)).toBe('ci_waiting');
  await pass(5 * second, poller(), heard);
  expect(calls).toMatchObject([{ sha: commit.sha, sources: ['check_run', 'status'] }]);
  expect(await stateOf(commit.runId), 'a check that no webhook told of is not done').toBe('ci_waiting');
  truth.set(commit.sha, [check(commit, 'lint', 'success'), check(commit, 'test', 'success')]);
  await report(check(commit, 'test', 'success'));
  await pass(5 * second, poller(), heard);
  expect(await stateOf(commit.runId)).toBe('succeeded');
  expect(calls).toHaveLength(2);
});

test('one failure decides without a question, and a commit without any check passes after a while', async () => {
  const [bad, bare] = [await wait(), await wait()];
  await report(check(bad, 'test', 'failure'));
  expect(await stateOf(bad.runId)).toBe('failed');
  await pass(schedule.noChecks - 5 * second, poller(), heard);
  expect(await stateOf(bare.runId)).toBe('ci_waiting');
  await pass(10 * second, poller(), heard);
  expect(await stateOf(bare.runId)).toBe('succeeded');
});

test('checks that were reported before the run began to wait decide it at once', async () => {
  const commit = { repoId: 7, sha: 'e'.repeat(40) };
  await database.db.transaction().execute((tx) => saveObservations(ciTables(tx), [check(commit, 'test', 'failure')]));
  expect(await stateOf(await waitingRun(database, commit))).toBe('failed');
});

test('a commit that nobody waits for any longer is forgotten without a question', async () => {
  const commit = await wait();
  await sql`UPDATE runs SET state = 'cancelled', finished_at = now() WHERE id = ${commit.runId}`.execute(database.db);
  await pass(schedule.silence + minute);
  expect(calls).toEqual([]);
  expect(await ciTables(database.db).selectFrom('poll_targets').selectAll().execute()).toEqual([]);
});
