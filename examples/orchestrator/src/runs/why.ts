import type { RunRow } from '../db/schema.ts';
import type { RunQueue } from './queue.ts';
import { isTerminal } from './states.ts';

/** What a run is waiting for. */
export interface Why {
  /** Stable: switch on it. */
  readonly reason: string;
  readonly detail: string;
  /** When that is over, where it is known. */
  readonly until: Date | null;
}

const queueReasons: Readonly<Record<string, string>> = {
  delayed: 'An earlier attempt failed for a passing reason; the next one comes later.',
  'queue-paused': 'The queue is paused.',
  'tenant-paused': 'The tenant is paused.',
  'queue-concurrency': 'As many runs are under way as the queue allows.',
  'queue-rate': 'Runs start only so often.',
  'tenant-concurrency': 'As many runs of the tenant are under way as it may have.',
  'tenant-rate': 'Runs of the tenant start only so often.',
  'tenant-budget': 'The budget of the tenant is used up for now.',
  'no-worker': 'No worker is there; start a process with the role worker.',
  'next-in-line': 'It is next in line.',
};

/** Says what a run is waiting for, and until when. */
export async function explainRun(queue: RunQueue, run: RunRow): Promise<Why> {
  if (isTerminal(run.state)) return { reason: 'ended', detail: `The run has ${run.state}.`, until: null };
  if (run.state === 'parked') {
    const detail = `It is parked (${run.parked_reason}) and goes on by itself.`;
    return { reason: `parked-${run.parked_reason}`, detail, until: run.parked_until };
  }
  if (run.state === 'ci_waiting') {
    return { reason: 'checks', detail: 'It waits for the checks of its commit.', until: null };
  }
  if (run.state !== 'queued')
    return { reason: 'running', detail: `It is ${run.state} on ${run.worker_id}.`, until: null };
  if (run.job_id === null) return { reason: 'outbox', detail: 'It is about to be handed to the queue.', until: null };
  return await explainJob(queue, run.job_id);
}

async function explainJob(queue: RunQueue, jobId: string): Promise<Why> {
  const { reason, until, ahead } = await queue.inspect.explain(jobId);
  const words = queueReasons[reason] ?? `The queue says: ${reason}.`;
  const detail = ahead ? `${words} ${ahead} of the same tenant come before it.` : words;
  return { reason, detail, until: until === undefined ? null : new Date(until) };
}
