import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { RunWithRepo } from './create.ts';
import { createFollowUp } from './follow-up.ts';
import { runsWithRepo } from './store.ts';
import { applyMove } from './transition.ts';

/** A commit as the forge's webhooks name it. Two repositories can hold the same commit. */
export interface WaitedCommit {
  readonly repoId: number;
  readonly sha: string;
}

/** What the checks of a commit came to. */
export interface CheckedCommit extends WaitedCommit {
  readonly state: 'success' | 'failure';
  /** Names of the checks that failed. */
  readonly failing?: readonly string[];
}

/**
 * Ends the runs that wait for the checks of a commit. No worker holds them, so their state alone is the guard.
 * @returns their ids, and those of runs that follow
 */
export async function settleCheckedRuns(db: Kysely<Database>, commit: CheckedCommit): Promise<string[]> {
  const settled: string[] = [];
  for (const run of await waitingRuns(db, commit).execute()) settled.push(...(await settle(db, run, commit)));
  return settled;
}

/** Whether any run waits for the checks of a commit. */
export async function isWaitedFor(db: Kysely<Database>, commit: WaitedCommit): Promise<boolean> {
  return (await waitingRuns(db, commit).limit(1).executeTakeFirst()) !== undefined;
}

function waitingRuns(db: Kysely<Database>, { repoId, sha }: WaitedCommit) {
  return runsWithRepo(db)
    .where('runs.state', '=', 'ci_waiting')
    .where('runs.commit_sha', '=', sha)
    .where('repos.forge_repo_id', '=', `${repoId}`);
}

async function settle(
  db: Kysely<Database>,
  run: RunWithRepo,
  { state, failing = [] }: CheckedCommit,
): Promise<string[]> {
  if (state === 'success') {
    return (await applyMove(db, run.id, { from: 'ci_waiting', to: 'succeeded' })) ? [run.id] : [];
  }
  const problem = {
    code: 'ERR_CHECKS_FAILED',
    message: `Checks failed: ${failing.join(', ') || 'unnamed'}.`,
    class: 'fatal',
  };
  const set = { error: JSON.stringify(problem) };
  if (!(await applyMove(db, run.id, { from: 'ci_waiting', to: 'failed', set, data: problem }))) return [];
  const next = await createFollowUp(db, run, failing);
  return next === undefined ? [run.id] : [run.id, next];
}
