import type { ClaimedJob, EnqueueAnswer, ExchangeAnswer, ExchangeRequest, NewJob } from '@millrace/queue';

interface Lease {
  readonly session: string;
  readonly call: number;
  readonly fence: number;
}

interface Known {
  readonly job: NewJob;
  lease: Lease | undefined;
  /** Claimed at least once: its place in the order is no longer that of its arrival. */
  moved: boolean;
  ended: boolean;
}

/** What must hold at every call to the store, written down without looking at how the queue does it. */
export interface Model {
  readonly violations: string[];
  /** Accepted, and not ended as far as the store has said. */
  readonly open: () => string[];
  enqueued(jobs: readonly NewJob[], answers: readonly EnqueueAnswer[]): void;
  exchanged(request: ExchangeRequest, answer: ExchangeAnswer): void;
  capped(tenant: string, cap: number): void;
}

/** Creates a model that knows nothing. */
export function createModel(): Model {
  const jobs = new Map<string, Known>();
  const caps = new Map<string, number>();
  const violations: string[] = [];
  let lastFence = 0;

  const blame = (text: string): void => void violations.push(text);

  function settled(request: ExchangeRequest, answer: ExchangeAnswer): void {
    for (const [index, settlement] of request.settle.entries()) {
      const known = jobs.get(settlement.jobId);
      const current = known?.lease?.fence === settlement.fence && known.lease.session === request.session;
      const applied = answer.settled[index] === 'applied';
      if (applied && !current)
        blame(`stale fence ${settlement.fence} of ${settlement.jobId} had an effect (${settlement.kind})`);
      if (!applied && current && answer.session === 'open')
        blame(`the live fence ${settlement.fence} of ${settlement.jobId} was refused`);
      if (!applied || known === undefined) continue;
      known.lease = undefined;
      if (settlement.kind === 'ack' || settlement.kind === 'dead' || settlement.kind === 'cancelled') end(known);
    }
  }

  function end(known: Known): void {
    if (known.ended) blame(`${known.job.id} ended twice`);
    known.ended = true;
  }

  /** Leases that end without a word of their own: with their call or with their session. */
  function silentlyReturned(request: ExchangeRequest, answer: ExchangeAnswer): void {
    for (const known of jobs.values()) {
      if (known.lease?.session !== request.session) continue;
      const over = answer.session === 'lost' || request.end || request.lostCalls.includes(known.lease.call);
      if (over && !answer.swept.expired.some(({ id }) => id === known.job.id)) returnable.add(known);
    }
  }
  /** Leases that may have been given back: the store does not say when. */
  const returnable = new Set<Known>();

  function expired(answer: ExchangeAnswer): void {
    for (const { id, fence, to } of answer.swept.expired) {
      const known = jobs.get(id);
      if (known?.lease?.fence !== fence) blame(`the lease ${fence} of ${id} expired, but it is not the live one`);
      if (known === undefined) continue;
      known.lease = undefined;
      if (to === 'dead') end(known);
    }
  }

  function claimed(request: ExchangeRequest, job: ClaimedJob): void {
    const known = jobs.get(job.id);
    if (known === undefined) {
      blame(`${job.id} was claimed but never enqueued`);
      return;
    }
    if (job.fence <= lastFence) blame(`fence ${job.fence} of ${job.id} is not larger than ${lastFence}`);
    if (known.lease !== undefined && !returnable.has(known))
      blame(`${job.id} has two live fences: ${known.lease.fence} and ${job.fence}`);
    if (known.ended) blame(`${job.id} was claimed after its end`);
    lastFence = Math.max(lastFence, job.fence);
    checkOrder(known);
    returnable.delete(known);
    known.lease = { session: request.session, call: request.call, fence: job.fence };
    known.moved = true;
    checkCap(job.tenant);
  }

  /** Of jobs that were never claimed or delayed, the first to arrive goes first. */
  function checkOrder(known: Known): void {
    const { tenant, priority, delay } = known.job;
    if (known.moved || delay > 0 || known.job.children > 0) return;
    for (const other of jobs.values()) {
      if (other === known) return;
      const peer =
        other.job.tenant === tenant &&
        other.job.priority === priority &&
        other.job.delay === 0 &&
        other.job.children === 0;
      if (peer && !other.moved && !other.ended)
        blame(`${known.job.id} overtook ${other.job.id} in its class and tenant`);
    }
  }

  function checkCap(tenant: string): void {
    const cap = caps.get(tenant);
    if (cap === undefined) return;
    const held = [...jobs.values()].filter(
      (known) => known.job.tenant === tenant && known.lease && !returnable.has(known),
    );
    if (held.length > cap) blame(`tenant ${tenant} holds ${held.length} leases, its cap is ${cap}`);
  }

  return {
    violations,
    open: () => [...jobs.values()].filter(({ ended }) => !ended).map(({ job }) => job.id),
    capped: (tenant, cap) => void caps.set(tenant, cap),
    enqueued: (sent, answers) => {
      for (const [index, job] of sent.entries()) {
        if (answers[index]?.status !== 'accepted' || jobs.has(job.id)) continue;
        jobs.set(job.id, { job, lease: undefined, moved: false, ended: false });
      }
    },
    exchanged: (request, answer) => {
      settled(request, answer);
      silentlyReturned(request, answer);
      expired(answer);
      for (const job of answer.claimed) claimed(request, job);
    },
  };
}
