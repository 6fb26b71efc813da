import { hostname } from 'node:os';
import { sql } from 'kysely';
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

export type WorkerParts = Omit<WorkerContext, 'workerId' | 'cancellations'> & {
  readonly queue: RunQueue;
  readonly onError: (error: unknown) => void;
};

/** Claims runs from the queue and carries them to their end, so many at a time. */
export async function startWorker(parts: WorkerParts): Promise<Role> {
  const { config, db, queue } = parts;
  const workerId = `${hostname()}-${process.pid}-${newId().slice(-6)}`;
  const cancellations = createCancellations({ ...parts, pollInterval: config.pollInterval });
  const context: WorkerContext = { ...parts, workerId, cancellations };
  const slots = config.workerConcurrency;
  await db.insertInto('workers').values({ id: workerId, host: hostname(), pid: process.pid, slots }).execute();

  const worker = queue.work(
    {
      run: async (job, ctx) => {
        const hold = { runId: job.payload.runId, dispatch: job.payload.dispatch, fence: ctx.fence, workerId };
        await executeRun(context, hold, ctx.signal);
      },
    },
    { concurrency: slots, lease: config.workerLease, pollInterval: config.pollInterval },
  );
  const stopPrefetching = prefetchOnPush(parts);
  const heartbeat = createLoop({
    interval: heartbeatInterval,
    onError: parts.onError,
    async turn() {
      const busy = worker.health().running;
      await db
        .updateTable('workers')
        .set({ busy, heartbeat_at: sql<Date>`now()` })
        .where('id', '=', workerId)
        .execute();
    },
  });
  return {
    name: 'worker',
    async stop() {
      stopPrefetching();
      await worker.drain({ timeout: config.drainTimeout });
      await heartbeat.stop();
      await cancellations.stop();
      await db.deleteFrom('workers').where('id', '=', workerId).execute();
    },
  };
}
