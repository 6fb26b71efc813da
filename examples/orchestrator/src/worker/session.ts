import type { Kysely, Updateable } from 'kysely';
import type { Database, RunRow, RunsTable } from '../db/schema.ts';
import { createLogWriter, type LogWriter } from '../logs/writer.ts';
import { isTerminal, type RunState } from '../runs/states.ts';
import type { TakenRun } from '../runs/take.ts';
import { type Hold, moveRun } from '../runs/transition.ts';
import type { WorkerContext } from './context.ts';

/** What may change together with a state. */
export interface Advance {
  readonly type?: string;
  readonly set?: Updateable<RunsTable>;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Done in the transaction of the move, after it. */
  readonly alongside?: (tx: Kysely<Database>) => Promise<void>;
}

/** A run in the hands of this worker: its row, its log, and the only way to move it. */
export interface RunSession {
  readonly hold: Hold;
  readonly run: RunRow;
  readonly repoUrl: string;
  readonly log: LogWriter;
  /** Aborts when the run is cancelled, the delivery is lost or the worker must stop. */
  readonly signal: AbortSignal;
  advance(to: RunState, change?: Advance): Promise<void>;
}

export async function openSession(
  context: WorkerContext,
  hold: Hold,
  taken: TakenRun,
  signal: AbortSignal,
): Promise<RunSession> {
  let run: RunRow = taken;
  const announce = (): void => context.relay.publish({ kind: 'run', runId: hold.runId });
  const { db } = context;
  const maxBytes = context.config.runLogBytes;
  const log = await createLogWriter({ db, hold, maxBytes, isNew: taken.is_new, onStored: announce });
  context.onState(run, run.attempt === 1 ? 'queued' : run.state);
  announce();
  return {
    hold,
    repoUrl: taken.repo_url,
    log,
    signal,
    get run() {
      return run;
    },
    async advance(to, { alongside, ...change } = {}) {
      if (isTerminal(to)) await log.flush();
      const from = run.state;
      const move = (tx: Kysely<Database>) => moveRun(tx, hold, { from, to, ...change });
      run = alongside ? await moveAnd(db, move, alongside) : await move(db);
      context.onState(run, from);
      announce();
    },
  };
}

async function moveAnd(
  db: Kysely<Database>,
  move: (tx: Kysely<Database>) => Promise<RunRow>,
  alongside: (tx: Kysely<Database>) => Promise<void>,
): Promise<RunRow> {
  return await db.transaction().execute(async (tx) => {
    const moved = await move(tx);
    await alongside(tx);
    return moved;
  });
}
