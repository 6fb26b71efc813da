import { type Kysely, type RawBuilder, sql } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { Database, RunEventRow, RunRow } from '../db/schema.ts';
import { runColumns } from './columns.ts';
import type { RunWithRepo } from './create.ts';
import { isTerminal, type RunState, unheldStates } from './states.ts';
import { applyMove } from './transition.ts';

export async function getRun(db: Kysely<Database>, tenantId: string, id: string): Promise<RunWithRepo | undefined> {
  return await runsWithRepo(db)
    .where('runs.tenant_id', '=', tenantId)
    .where('runs.id', '=', id)
    .modifyEnd(sql.raw(prepared))
    .executeTakeFirst();
}

/** Which runs a list shows, newest first. */
export interface RunFilter {
  readonly tenantId: string;
  readonly state?: RunState | undefined;
  readonly taskId?: string | undefined;
  readonly repoId?: string | undefined;
  /** Type of the agent. */
  readonly agent?: string | undefined;
  /** Only runs older than the one with this id. */
  readonly before?: string | undefined;
  readonly limit: number;
}

export async function listRuns(db: Kysely<Database>, filter: RunFilter): Promise<RunWithRepo[]> {
  const { state, taskId, repoId, agent, before } = filter;
  let query = runsWithRepo(db).where('runs.tenant_id', '=', filter.tenantId);
  if (state) query = query.where('runs.state', '=', state);
  if (taskId) query = query.where('runs.task_id', '=', taskId);
  if (repoId) query = query.where('runs.repo_id', '=', repoId);
  if (agent) query = query.where(sql<boolean>`runs.agent ->> 'type' = ${agent}`);
  if (before) query = query.where(olderThan('runs', before));
  return await query.orderBy('runs.created_at', 'desc').orderBy('runs.id', 'desc').limit(filter.limit).execute();
}

/** The condition of coming after a row in a list, newest first. The cursor is its id: its time is looked up. */
export function olderThan(table: 'runs' | 'tasks', id: string): RawBuilder<boolean> {
  const column = (name: string) => sql.ref(`${table}.${name}`);
  const last = sql`(SELECT created_at FROM ${sql.table(table)} AS last WHERE last.id = ${id}::uuid)`;
  return sql<boolean>`(${column('created_at')}, ${column('id')}) < (${last}, ${id}::uuid)`;
}

/** Runs as the API shows them, to be narrowed. */
export function runsWithRepo(db: Kysely<Database>) {
  return db
    .selectFrom('runs')
    .innerJoin('repos', 'repos.id', 'runs.repo_id')
    .select(runColumns.map((column) => `runs.${column}` as const))
    .select('repos.url as repo_url');
}

/** Events of a run after a sequence number, oldest first. */
export async function runEventsAfter(
  db: Kysely<Database>,
  runId: string,
  after: number,
  limit = 500,
): Promise<RunEventRow[]> {
  return await db
    .selectFrom('run_events')
    .select(['run_id', 'seq', 'type', 'from_state', 'to_state', 'data', 'created_at'])
    .where('run_id', '=', runId)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .modifyEnd(sql.raw(prepared))
    .execute();
}

const unheld: readonly RunState[] = unheldStates;

/** How a request to cancel ended: at once, by telling the worker, or too late. */
export type CancelOutcome = 'cancelled' | 'requested' | 'finished';

/**
 * Asks for a run to be cancelled. A run that no worker holds ends at once; one that is held ends when its worker, or
 * the one that takes it over, sees the mark.
 */
export async function requestCancel(
  db: Kysely<Database>,
  tenantId: string,
  id: string,
): Promise<CancelOutcome | undefined> {
  return await db.transaction().execute(async (tx) => {
    const run = await tx
      .selectFrom('runs')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (!run) return undefined;
    if (run.state === 'cancelled') return 'cancelled';
    if (isTerminal(run.state)) return 'finished';
    if (unheld.includes(run.state)) {
      await tx.deleteFrom('outbox').where('run_id', '=', id).execute();
      await applyMove(tx, id, { from: run.state, to: 'cancelled', set: { parked_reason: null, parked_until: null } });
      return 'cancelled';
    }
    if (!run.cancel_requested_at) await markCancelled(tx, run);
    return 'requested';
  });
}

async function markCancelled(tx: Kysely<Database>, run: RunRow): Promise<void> {
  const seq = run.event_seq + 1;
  await tx
    .updateTable('runs')
    .set({ cancel_requested_at: sql<Date>`now()`, event_seq: seq })
    .where('id', '=', run.id)
    .execute();
  await tx
    .insertInto('run_events')
    .values({ run_id: run.id, seq, type: 'cancel_requested', from_state: run.state, to_state: run.state, data: '{}' })
    .execute();
}
