import type { Observability } from '@millrace/observability';
import { type Kysely, sql } from 'kysely';
import type { Database, RunRow } from '../db/schema.ts';
import { isTerminal, type RunState } from '../runs/states.ts';

/** Which phase of the metrics the time in a state belongs to. */
const phaseOf = {
  queued: 'queue',
  preparing: 'clone',
  running: 'agent',
  collecting: 'collect',
  pushing: 'push',
  ci_waiting: 'ci',
} as const satisfies Partial<Record<RunState, string>>;

const openStates = [
  'queued',
  'admitted',
  'preparing',
  'running',
  'collecting',
  'pushing',
  'pr_open',
  'ci_waiting',
  'parked',
] as const satisfies readonly RunState[];

type Outcome = 'succeeded' | 'failed' | 'cancelled';

/** Records the steps of runs as metrics and as one log line each, by which all of a run is found. */
export function createRunObserver({ runs, log }: Observability): (run: RunRow, from: RunState) => void {
  const since = new Map<string, Date>();
  return (run, from) => {
    const { id, tenant_id, state, attempt, error } = run;
    log.info({ runId: id, tenant: tenant_id, attempt, from, state, ...(error && { error }) }, 'run moved');
    const phase = phaseOf[from as keyof typeof phaseOf];
    const entered = since.get(id) ?? run.created_at;
    if (phase && from !== state) runs.phase.observe(secondsBetween(entered, run.updated_at), phase);
    if (state === 'running') runs.start.observe(secondsBetween(run.created_at, run.updated_at), run.agent.type);
    if (isTerminal(state)) runs.finished.add(1, state as Outcome);
    if (isTerminal(state) || state === 'queued' || state === 'parked' || state === 'ci_waiting') since.delete(id);
    else since.set(id, run.updated_at);
  };
}

function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime()) / 1000;
}

/** Shows, at each scrape, how many runs are in which state that is not an end. */
export function watchRuns(observability: Observability, db: Kysely<Database>): () => void {
  return observability.onCollect('runs', async () => {
    const { rows } = await sql<{ state: RunState; count: string }>`
      SELECT state, count(*) AS count FROM runs
      WHERE state NOT IN ('succeeded', 'failed', 'cancelled') GROUP BY state
    `.execute(db);
    const counts = new Map(rows.map(({ state, count }) => [state, Number(count)]));
    for (const state of openStates) observability.runs.active.set(counts.get(state) ?? 0, state);
  });
}
