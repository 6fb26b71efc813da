import { hostname } from 'node:os';
import type { Observability } from '@millrace/observability';
import { sql } from 'kysely';
import { openExecutor } from '../executors/open.ts';
import { newId } from '../ids.ts';
import { createLoop } from '../loop.ts';
import type { RunQueue } from '../runs/queue.ts';
import { createCancellations } from '../worker/cancellations.ts';
import type { WorkerContext } from '../worker/context.ts';
import { executeRun } from '../worker/execute.ts';
import { prefetchOnPush } from '../worker/prefetch.ts';
import type { Role } from './role.ts';

/** How often a worker says that it lives (milliseconds). */
const heartbeatInterval = 5_000;

/** How often what dead workers left behind is looked for (milliseconds). */
const sweepInterval = 60_000;
/** Seconds without a sign of life after which a worker counts as dead. */
const deadAfter = 60;

export type WorkerParts = Omit<WorkerContext, 'workerId' | 'cancellations' | 'executor'> & {
  readonly queue: RunQueue;
  readonly observability: Pick<Observability, 'context'>;
  readonly onError: (error: unknown) => void;
};

/** Claims runs from the queue and carries them to their end, so many at a time. */
export async function startWorker(parts: WorkerParts): Promise<Role> {
  const { config, db, queue } = parts;
  const workerId = `${hostname()}-${process.pid}-${newId().slice(-6)}`;
  const executor = await openExecutor(config.executorUrl, { workerId, dataDirectory: config.dataDirectory });
  const cancellations = createCancellations({ ...parts, pollInterval: config.pollInterval });
  const context: WorkerContext = { ...parts, workerId, executor, cancellations };
  const slots = config.workerConcurrency;
  let draining = false;
  // A worker that stood still so long that it was forgotten is known again by its next sign of life.
  const sayAlive = async (busy: number): Promise<void> => {
    const row = { id: workerId, host: hostname(), pid: process.pid, slots, busy, draining };
    const again = { busy, heartbeat_at: sql<Date>`now()` };
    const said = await db
      .insertInto('workers')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(again))
      .returning('draining')
      .executeTakeFirstOrThrow();
    draining = said.draining;
  };
  await sayAlive(0);

  const worker = queue.work(
    {
      run: async (job, ctx) => {
        const hold = { runId: job.payload.runId, dispatch: job.payload.dispatch, fence: ctx.fence, workerId };
        const ids = { runId: hold.runId, tenant: job.tenant };
        await parts.observability.context.run(ids, () => executeRun(context, hold, ctx.signal));
      },
    },
    { concurrency: slots, lease: config.workerLease, pollInterval: config.pollInterval, gate: () => !draining },
  );
  const stopPrefetching = prefetchOnPush(parts);
  const heartbeat = createLoop({
    interval: heartbeatInterval,
    onError: parts.onError,
    turn: () => sayAlive(worker.health().running),
  });
  const sweeper = createLoop({
    interval: sweepInterval,
    onError: parts.onError,
    turn: async () => executor.sweep?.(await livingWorkers(db)),
  });
  const unsubscribe = parts.relay.subscribe(['drain'], heartbeat.wake);
  return {
    name: 'worker',
    async stop() {
      unsubscribe();
      stopPrefetching();
      await worker.drain({ timeout: config.drainTimeout });
      await sweeper.stop();
      await heartbeat.stop();
      await cancellations.stop();
      await db.deleteFrom('workers').where('id', '=', workerId).execute();
    },
  };
}

async function livingWorkers(db: WorkerContext['db']): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('workers')
    .select('id')
    .where('heartbeat_at', '>', sql<Date>`now() - make_interval(secs => ${deadAfter})`)
    .execute();
  return new Set(rows.map(({ id }) => id));
}
