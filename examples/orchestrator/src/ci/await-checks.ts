import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { type CheckedCommit, settleCheckedRuns } from '../runs/checked.ts';
import { type CommitName, lockedRollup } from './checks.ts';
import { askAtOnce, forgetCommit, watchCommit } from './poll-targets.ts';
import type { Rollup } from './rollup.ts';
import type { CiDatabase } from './tables.ts';

/** The same database with all its tables, for the two halves that know only theirs. */
export function ciTables(db: Kysely<Database>): Kysely<CiDatabase> {
  return db.withTables<Omit<CiDatabase, keyof Database>>();
}

/**
 * Call it in the transaction in which a run begins to wait for the checks of a commit. They may have been reported
 * before: the roll-up is locked, so either it is seen here, or whoever changes it sees the run.
 */
export async function beginWaiting(tx: Kysely<Database>, commit: CommitName, repoUrl: string): Promise<void> {
  const ci = ciTables(tx);
  await watchCommit(ci, commit, repoUrl);
  await settleByRollup(tx, commit, await lockedRollup(ci, commit), 'webhook');
}

/**
 * Ends the runs that wait for a commit when its checks are decided. One failure decides. That all known checks have
 * passed may mean that others were not reported yet, so the forge is asked before a commit passes, unless it was the
 * forge's own answer.
 *
 * @returns ids of runs that moved or were made
 */
export async function settleByRollup(
  tx: Kysely<Database>,
  commit: CommitName,
  { state, failing }: Rollup,
  from: 'webhook' | 'answer',
): Promise<string[]> {
  if (state !== 'success' && state !== 'failure') return [];
  const ci = ciTables(tx);
  if (state === 'success' && from === 'webhook' && (await askAtOnce(ci, commit))) return [];
  return await settle(tx, { ...commit, state, failing });
}

/** Lets the runs of a commit pass that has no checks at all. */
export async function settleWithoutChecks(tx: Kysely<Database>, commit: CommitName): Promise<string[]> {
  return await settle(tx, { ...commit, state: 'success' });
}

async function settle(tx: Kysely<Database>, commit: CheckedCommit): Promise<string[]> {
  await forgetCommit(ciTables(tx), commit);
  return await settleCheckedRuns(tx, commit);
}
