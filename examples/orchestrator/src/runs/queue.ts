import { createQueue, defineJob, exponential, type Queue, type QueueInstrumentation } from '@millrace/queue';
import { z } from 'zod';
import type { Dispatch, DispatchAnswer } from './outbox.ts';

/**
 * The one job of the orchestrator: carry a run on from wherever it is. How often a run may be begun is counted in the
 * run itself (RUN_MAX_ATTEMPTS), so the queue never gives a run up on its own.
 */
const executeJob = defineJob('run', z.object({ runId: z.uuid(), dispatch: z.int().min(1) }), {
  maxAttempts: 1_000_000,
  backoff: exponential({ base: '1s', max: '5m' }),
});

const jobs = [executeJob] as const;

export type RunQueue = Queue<typeof jobs>;

export function openRunQueue(url: string, instrumentation?: QueueInstrumentation): RunQueue {
  return createQueue({ url, jobs, name: 'runs', ...(instrumentation && { instrumentation }) });
}

/** The job of a dispatch has an id of its own, so handing it over twice makes one job. */
export function jobIdOf(runId: string, dispatch: number): string {
  return `${runId}.${dispatch}`;
}

export async function enqueueDispatch(
  queue: RunQueue,
  { runId, dispatch, tenantId, priority, traceparent }: Dispatch,
): Promise<DispatchAnswer> {
  const answer = await queue.tryEnqueue(
    'run',
    { runId, dispatch },
    {
      id: jobIdOf(runId, dispatch),
      tenant: tenantId,
      priority,
      ...(traceparent !== null && { traceparent }),
    },
  );
  if (answer.status === 'rejected') return { accepted: false, retryAfter: answer.retryAfter };
  return { accepted: true, jobId: answer.id };
}
