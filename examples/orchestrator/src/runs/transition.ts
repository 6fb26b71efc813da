import { type Kysely, sql, type Updateable } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { Database, RunRow, RunsTable } from '../db/schema.ts';
import { runColumns } from './columns.ts';
import { RunCancelledError, RunFencedError } from './errors.ts';
import { canMove, entryState, isTerminal, type RunState } from './states.ts';

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
  if (!canMove(move.from, move.to)) throw new RangeError(`A run cannot go from ${move.from} to ${move.to}.`);
  return await db
    .with('moved', (qb) =>
      qb
        .updateTable('runs')
        .set({ ...move.set, state: move.to, updated_at: sql<Date>`now()` })
        .set((eb) => ({ event_seq: eb('event_seq', '+', 1) }))
        .$if(move.redispatch === true, (update) =>
          update.set((eb) => ({ dispatch: eb('dispatch', '+', 1), fence: 0, job_id: null })),
        )
        .$if(isTerminal(move.to), (update) => update.set({ finished_at: sql<Date>`now()` }))
        .where('id', '=', runId)
        .where('state', '=', move.from)
        .$if(guard.fence !== undefined, (update) => update.where('fence', '=', `${guard.fence}`))
        .$if(guard.dispatch !== undefined, (update) => update.where('dispatch', '=', guard.dispatch ?? 0))
        .$if(guard.refuseCancelled === true, (update) => update.where('cancel_requested_at', 'is', null))
        .returning(runColumns),
    )
    .with('event', (qb) =>
      qb
        .insertInto('run_events')
        .columns(['run_id', 'seq', 'type', 'from_state', 'to_state', 'data'])
        .expression((eb) =>
          eb
            .selectFrom('moved')
            .select([
              'moved.id',
              'moved.event_seq',
              sql<string>`${move.type ?? 'state'}::text`.as('type'),
              sql<RunState>`${move.from}::text`.as('from_state'),
              'moved.state',
              sql<string>`${JSON.stringify(move.data ?? {})}::jsonb`.as('data'),
            ]),
        ),
    )
    .with('outboxed', (qb) =>
      qb
        .insertInto('outbox')
        .columns(['run_id', 'dispatch'])
        .expression((eb) =>
          eb
            .selectFrom('moved')
            .select(['moved.id', 'moved.dispatch'])
            .where(sql<boolean>`${move.redispatch === true}`),
        ),
    )
    .selectFrom('moved')
    .select(runColumns)
    .modifyEnd(sql.raw(prepared))
    .executeTakeFirst();
}

/**
 * Takes a run for a delivery of the queue: from now on only this hold can write it. `undefined` means there is nothing
 * to do: the run ended, or this delivery is older than the one that holds it.
 */
export async function takeRun(db: Kysely<Database>, hold: Hold): Promise<RunRow | undefined> {
  return await db.transaction().execute(async (tx) => {
    const run = await tx
      .selectFrom('runs')
      .select(runColumns)
      .where('id', '=', hold.runId)
      .forUpdate()
      .modifyEnd(sql.raw(prepared))
      .executeTakeFirst();
    if (!run || isTerminal(run.state) || run.state === 'parked') return undefined;
    if (run.dispatch !== hold.dispatch || Number(run.fence) >= hold.fence) return undefined;
    return await applyMove(tx, hold.runId, {
      from: run.state,
      to: entryState(run.state),
      type: run.state === 'queued' ? 'state' : 'taken_over',
      set: {
        fence: hold.fence,
        worker_id: hold.workerId,
        attempt: run.attempt + 1,
        admitted_at: run.admitted_at ?? new Date(),
      },
      data: { worker: hold.workerId, attempt: run.attempt + 1 },
    });
  });
}
