import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { applyMove } from './transition.ts';

/** What the checks of a commit came to. */
export interface CheckedCommit {
  readonly sha: string;
  readonly state: 'success' | 'failure';
  /** Names of the checks that failed. */
  readonly failing?: readonly string[];
}

/**
 * Ends the runs that wait for the checks of a commit. No worker holds them, so their state alone is the guard.
 * @returns their ids
 */
export async function settleCheckedRuns(db: Kysely<Database>, commit: CheckedCommit): Promise<string[]> {
  const waiting = await db
    .selectFrom('runs')
    .select('id')
    .where('state', '=', 'ci_waiting')
    .where('commit_sha', '=', commit.sha)
    .execute();
  const settled: string[] = [];
  for (const { id } of waiting) if (await settle(db, id, commit)) settled.push(id);
  return settled;
}

async function settle(db: Kysely<Database>, runId: string, { state, failing = [] }: CheckedCommit): Promise<boolean> {
  if (state === 'success') return (await applyMove(db, runId, { from: 'ci_waiting', to: 'succeeded' })) !== undefined;
  const problem = { code: 'ERR_CHECKS_FAILED', message: `Checks failed: ${failing.join(', ') || 'unnamed'}.` };
  const set = { error: JSON.stringify(problem) };
  return (await applyMove(db, runId, { from: 'ci_waiting', to: 'failed', set, data: problem })) !== undefined;
}
