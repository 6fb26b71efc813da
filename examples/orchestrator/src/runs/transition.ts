import { CompiledQuery, type Kysely, type Updateable } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { Database, RunRow, RunsTable } from '../db/schema.ts';
import { runColumns } from './columns.ts';
import { RunCancelledError, RunFencedError } from './errors.ts';
import { canMove, isTerminal, type RunState } from './states.ts';

/** A worker's right to write a run: the delivery it holds. A later delivery has a larger (dispatch, fence). */
export interface Hold {
  readonly runId: string;
  readonly dispatch: number;
  readonly fence: number;
  readonly workerId: string;
}

/** One step of the state machine, with the columns that change in the same statement. */
export interface Move {
  readonly from: RunState;
  readonly to: RunState;
  /** @default 'state' */
  readonly type?: string;
  readonly set?: Updateable<RunsTable>;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Hands the run to the queue again, in the same statement. @default false */
  readonly redispatch?: boolean;
}

/**
 * Moves a run that this worker holds: the fenced UPDATE, its event and its outbox row are one statement, so they are
 * seen together or not at all. A run that somebody asked to cancel moves nowhere but to an end.
 *
 * @throws {RunFencedError} when another delivery holds the run or it is in another state.
 * @throws {RunCancelledError} when cancelling was asked for.
 */
export async function moveRun(db: Kysely<Database>, hold: Hold, move: Move): Promise<RunRow> {
  const guard = { dispatch: hold.dispatch, fence: hold.fence, refuseCancelled: !isTerminal(move.to) };
  const moved = await applyMove(db, hold.runId, move, guard);
  if (moved) return moved;
  const run = await db.selectFrom('runs').selectAll().where('id', '=', hold.runId).executeTakeFirst();
  const ours = run?.dispatch === hold.dispatch && Number(run.fence) === hold.fence && !isTerminal(run.state);
  throw ours && run.cancel_requested_at ? new RunCancelledError(hold.runId) : new RunFencedError(hold.runId);
}

/** What must still be true of the run for a move to happen, besides its state. */
interface Guard {
  readonly dispatch?: number;
  readonly fence?: number;
  readonly refuseCancelled?: boolean;
}

/** The statement behind every transition. Resolves with `undefined` when the guard did not hold. */
export async function applyMove(
  db: Kysely<Database>,
  runId: string,
  move: Move,
  guard: Guard = {},
): Promise<RunRow | undefined> {
  const { from, to, type = 'state', set = {}, data = {} } = move;
  const changes = Object.entries(set).filter(([, value]) => value !== undefined);
  if (!canMove(from, to)) throw new RangeError(`A run cannot go from ${from} to ${to}.`);
  const guards = (['fence', 'dispatch'] as const).filter((column) => guard[column] !== undefined);
  const columns = changes.map(([column]) => column);
  const text = textOf({ to, columns, guards, redispatch: move.redispatch === true, ...guard });
  const values: unknown[] = [runId, from, to, type, JSON.stringify(data), ...guards.map((column) => guard[column])];
  values.push(...changes.map(([, value]) => value));
  const { rows } = await db.executeQuery<RunRow>(CompiledQuery.raw(text, values));
  return rows[0];
}

/** What the text of a move depends on; everything else is a parameter. */
interface Shape extends Pick<Guard, 'refuseCancelled'> {
  readonly to: RunState;
  readonly columns: readonly string[];
  readonly guards: readonly ('fence' | 'dispatch')[];
  readonly redispatch: boolean;
}

/** Parameters that every move has: run, from, to, type and data of its event. */
const ownParameters = 5;

/** Written by hand, since a query builder takes longer to make this text than PostgreSQL to carry it out. */
function textOf({ to, columns, guards, redispatch, refuseCancelled }: Shape): string {
  const parameter = (index: number): string => `$${ownParameters + index + 1}`;
  const assignments = [
    ...columns.map((column, index) => `"${column}" = ${parameter(guards.length + index)}`),
    'state = $3, updated_at = now(), event_seq = event_seq + 1',
    ...(redispatch ? ['dispatch = dispatch + 1, fence = 0, job_id = NULL'] : []),
    ...(isTerminal(to) ? ['finished_at = now()'] : []),
  ];
  const conditions = [
    'id = $1 AND state = $2',
    ...guards.map((column, index) => `${column} = ${parameter(index)}`),
    ...(refuseCancelled ? ['cancel_requested_at IS NULL'] : []),
  ];
  const outboxed = 'outboxed AS (INSERT INTO outbox (run_id, dispatch) SELECT id, dispatch FROM moved)';
  return `
  WITH moved AS (
    UPDATE runs SET ${assignments.join(', ')} WHERE ${conditions.join(' AND ')} RETURNING ${runColumns.join(', ')}
  ), event AS (
    INSERT INTO run_events (run_id, seq, type, from_state, to_state, data)
    SELECT id, event_seq, $4::text, $2, state, $5::jsonb FROM moved
  )${redispatch ? `, ${outboxed}` : ''}
  SELECT ${runColumns.join(', ')} FROM moved ${prepared}`;
}
