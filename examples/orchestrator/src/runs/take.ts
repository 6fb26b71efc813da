import { CompiledQuery, type Kysely } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { Database } from '../db/schema.ts';
import { runColumns } from './columns.ts';
import type { RunWithRepo } from './create.ts';
import { canMove, entryState, type RunState, runStates } from './states.ts';
import type { Hold } from './transition.ts';

/** A run that was taken, and what it was before. */
export interface TakenRun extends RunWithRepo {
  readonly state_before: RunState;
  /** No delivery has had it before, so nothing was written for it yet. */
  readonly is_new: boolean;
}

/** A parked run is handed to the queue anew when its time comes. */
const takeable = runStates.filter((state) => state !== 'parked' && canMove(state, entryState(state)));
const listed = (states: readonly RunState[]): string => states.map((state) => `'${state}'`).join(', ');
const kept = takeable.filter((state) => entryState(state) === state);

/** The row is locked before it is read: of two deliveries at once, the second sees what the first made of it. */
const statement = `
  WITH old AS (
    SELECT id, state AS state_before, dispatch = 1 AND fence = 0 AS is_new FROM runs
    WHERE id = $1 AND dispatch = $2 AND fence < $3 AND state IN (${listed(takeable)}) FOR UPDATE
  ), moved AS (
    UPDATE runs SET state = CASE WHEN state IN (${listed(kept)}) THEN state ELSE 'admitted' END,
      fence = $3, worker_id = $4, attempt = attempt + 1, admitted_at = coalesce(admitted_at, now()),
      updated_at = now(), event_seq = event_seq + 1
    FROM old WHERE runs.id = old.id
    RETURNING ${runColumns.map((column) => `runs.${column}`).join(', ')}, state_before, is_new
  ), event AS (
    INSERT INTO run_events (run_id, seq, type, from_state, to_state, data)
    SELECT id, event_seq, CASE state_before WHEN 'queued' THEN 'state' ELSE 'taken_over' END, state_before, state,
      jsonb_build_object('worker', worker_id, 'attempt', attempt) FROM moved
  )
  SELECT ${runColumns.map((column) => `moved.${column}`).join(', ')}, state_before, is_new, repos.url AS repo_url
  FROM moved JOIN repos ON repos.id = moved.repo_id ${prepared}`;

/**
 * Takes a run for a delivery of the queue: from now on only this hold can write it. `undefined` means there is nothing
 * to do: the run ended, or this delivery is older than the one that holds it.
 */
export async function takeRun(db: Kysely<Database>, hold: Hold): Promise<TakenRun | undefined> {
  const values = [hold.runId, hold.dispatch, hold.fence, hold.workerId];
  const { rows } = await db.executeQuery<TakenRun>(CompiledQuery.raw(statement, values));
  return rows[0];
}
