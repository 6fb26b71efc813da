import type { ExchangeAnswer } from '../contract/exchange.ts';
import type { ClaimedJob } from '../contract/job.ts';
import type { LeaseLostEvent, QueueInstrumentation, SettledEvent } from '../instrumentation.ts';
import { notify } from '../produce/batcher.ts';
import type { Attempt } from './attempt.ts';
import type { Exchanged } from './link.ts';

type SettledJob = SettledEvent['jobs'][number];

function jobEvent({ job }: Attempt): { id: string; name: string; tenant: string; fence: number; attempt: number } {
  return { id: job.id, name: job.name, tenant: job.tenant, fence: job.fence, attempt: job.attempt };
}

/** Sends the events of one exchange. */
export function reportExchange(
  hooks: QueueInstrumentation,
  queue: string,
  { answer, parcel, tripMs }: Exchanged,
  now: number,
): void {
  reportClaimed(hooks, queue, answer.claimed, tripMs);
  if (parcel.settle.length > 0 && hooks.onSettled !== undefined) {
    const jobs = parcel.settle.map((one, index) =>
      settledEvent(one, one.again ? 'applied' : (answer.settled[index] ?? 'stale'), now),
    );
    notify(() => hooks.onSettled?.({ queue, jobs }));
  }
  if (didSomething(answer.swept)) notify(() => hooks.onSwept?.({ queue, ...answer.swept }));
}

/** Says which jobs have come, and how long they were asked for. */
export function reportClaimed(
  hooks: QueueInstrumentation,
  queue: string,
  claimed: readonly ClaimedJob[],
  durationMs: number,
): void {
  if (claimed.length === 0 || hooks.onClaimed === undefined) return;
  const jobs = claimed.map(({ id, name, tenant, attempt, fence, waitMs }) => ({
    id,
    name,
    tenant,
    attempt,
    fence,
    waitMs,
  }));
  notify(() => hooks.onClaimed?.({ queue, jobs, durationMs }));
}

/** Written out, since it happens to every job: spreading costs more than all else that is done for an event. */
function settledEvent(
  { attempt: { job, startedAt, endedAt }, settlement }: Exchanged['parcel']['settle'][number],
  outcome: SettledJob['outcome'],
  now: number,
): SettledJob {
  const { id, name, tenant, fence, attempt } = job;
  const { kind } = settlement;
  const runMs = endedAt === undefined ? 0 : endedAt - (startedAt ?? now);
  if (!('failure' in settlement)) return { id, name, tenant, fence, attempt, kind, outcome, runMs };
  const errorCode = settlement.failure.code;
  return { id, name, tenant, fence, attempt, kind, outcome, runMs, errorCode };
}

function didSomething(swept: ExchangeAnswer['swept']): boolean {
  return swept.promoted > 0 || swept.forgotten > 0 || swept.expired.length > 0;
}

/** Says that leases were lost under running handlers. */
export function reportLost(
  hooks: QueueInstrumentation | undefined,
  queue: string,
  attempts: readonly Attempt[],
  reason: LeaseLostEvent['reason'],
): void {
  if (attempts.length > 0) notify(() => hooks?.onLeaseLost?.({ queue, jobs: attempts.map(jobEvent), reason }));
}
