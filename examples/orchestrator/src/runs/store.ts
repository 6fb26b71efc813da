import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { AgentSpec, Database, FollowUp, PullRequestWish, RunEventRow, RunRow } from '../db/schema.ts';
import { newId } from '../ids.ts';
import { ensureRepo } from '../repos/repos.ts';
import { isTerminal, type RunState, unheldStates } from './states.ts';
import { applyMove } from './transition.ts';

/** What it takes to create a run; everything was validated before. */
export interface NewRun {
  readonly tenantId: string;
  readonly repo: string;
  readonly ref: string;
  readonly agent: AgentSpec;
  readonly message: string;
  readonly priority: number;
  /** Milliseconds the agent may take. */
  readonly timeout: number;
  /** Milliseconds from now that the whole run may take, its waits included. @default no bound */
  readonly deadline?: number;
  readonly taskId?: string;
  readonly pullRequest?: PullRequestWish;
  /** Millionths of a US dollar. */
  readonly budgetMicroUsd?: number;
  /** The run that this one repeats. */
  readonly retryOf?: string;
  /** @default one named after the run */
  readonly branch?: string;
  readonly followUp?: FollowUp;
  readonly traceparent?: string;
}

/** A run with the URL of its repository, as the API shows it. */
export type RunWithRepo = RunRow & { readonly repo_url: string };

/** Stores a run, its first event and the outbox row that hands it to the queue. Call it inside a transaction. */
export async function createRun(tx: Kysely<Database>, run: NewRun): Promise<string> {
  const id = newId();
  const repoId = await ensureRepo(tx, run.tenantId, run.repo);
  await tx
    .insertInto('runs')
    .values({
      id,
      tenant_id: run.tenantId,
      task_id: run.taskId ?? null,
      repo_id: repoId,
      ref: run.ref,
      agent: JSON.stringify(run.agent),
      message: run.message,
      priority: run.priority,
      timeout_ms: run.timeout,
      deadline_at: run.deadline === undefined ? null : sql<Date>`now() + make_interval(secs => ${run.deadline / 1000})`,
      branch: run.branch ?? `millrace/${id}`,
      event_seq: 1,
      traceparent: run.traceparent ?? null,
      retry_of: run.retryOf ?? null,
      follow_up: run.followUp ? JSON.stringify(run.followUp) : null,
      budget_microusd: run.budgetMicroUsd ?? null,
      pull_request: run.pullRequest ? JSON.stringify(run.pullRequest) : null,
    })
    .execute();
  await tx
    .insertInto('run_events')
    .values({ run_id: id, seq: 1, type: 'state', from_state: null, to_state: 'queued', data: '{}' })
    .execute();
  await tx.insertInto('outbox').values({ run_id: id, dispatch: 1 }).execute();
  return id;
}

export async function getRun(db: Kysely<Database>, tenantId: string, id: string): Promise<RunWithRepo | undefined> {
  return await runsWithRepo(db).where('runs.tenant_id', '=', tenantId).where('runs.id', '=', id).executeTakeFirst();
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
    .selectAll('runs')
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
    .selectAll()
    .where('run_id', '=', runId)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
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
