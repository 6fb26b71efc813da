import type { ExchangeAnswer } from '../contract/exchange.ts';
import type { LeaseLostEvent, QueueInstrumentation } from '../instrumentation.ts';
import { notify } from '../produce/batcher.ts';
import type { Attempt } from './attempt.ts';
import type { Exchanged } from './link.ts';

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
  if (answer.claimed.length > 0 && hooks.onClaimed !== undefined) {
    const jobs = answer.claimed.map(({ id, name, tenant, attempt, fence, waitMs }) => ({
      id,
      name,
      tenant,
      attempt,
      fence,
      waitMs,
    }));
    notify(() => hooks.onClaimed?.({ queue, jobs, durationMs: tripMs }));
  }
  if (parcel.settle.length > 0 && hooks.onSettled !== undefined) {
    const jobs = parcel.settle.map(({ attempt, settlement, again }, index) => ({
      ...jobEvent(attempt),
      kind: settlement.kind,
      outcome: again ? ('applied' as const) : (answer.settled[index] ?? ('stale' as const)),
      runMs: attempt.endedAt === undefined ? 0 : attempt.endedAt - (attempt.startedAt ?? now),
      ...('failure' in settlement && { errorCode: settlement.failure.code }),
    }));
    notify(() => hooks.onSettled?.({ queue, jobs }));
  }
  if (didSomething(answer.swept)) notify(() => hooks.onSwept?.({ queue, ...answer.swept }));
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
