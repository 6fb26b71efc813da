import type { ClaimedJob, ExchangeRequest } from '../../contract/index.ts';
import { type Call, countWaiting } from './call.ts';
import { afterStart, nextAllowed } from './rate.ts';
import { charge, holdOf, nextTenant, place } from './ring.ts';
import type { JobRow, TenantRow } from './rows.ts';

/** What a claim gave. */
export interface Claim {
  readonly claimed: readonly ClaimedJob[];
  /** The count was reached with more to be had. */
  readonly more: boolean;
}

const nothing: Claim = { claimed: [], more: false };

/** Leases up to `request.claim` jobs to the session, in the order that the contract states. */
export function claim(call: Call, request: ExchangeRequest): Claim {
  if (request.claim <= 0) return nothing;
  const claimed: ClaimedJob[] = [];
  while (claimed.length < request.claim) {
    if (holdOfQueue(call) !== undefined) return { claimed, more: false };
    const next = nextEligible(call);
    if (next === undefined) return { claimed, more: false };
    claimed.push(lease(call, next.tenant, next.job, request));
  }
  return { claimed, more: holdOfQueue(call) === undefined && call.tables.ringTop() !== undefined };
}

/** Why nothing at all is claimed now, and until when. */
export function holdOfQueue(
  call: Call,
): { readonly reason: 'queue-paused' | 'queue-concurrency' | 'queue-rate'; readonly until?: number } | undefined {
  const { queue } = call.tables;
  if (queue.paused) return { reason: 'queue-paused' };
  const { maxLeased, rate } = queue.settings.limits;
  if (maxLeased !== undefined && queue.leased >= maxLeased) return { reason: 'queue-concurrency' };
  if (rate === undefined) return undefined;
  const until = nextAllowed(queue.tat, rate);
  return until > call.now ? { reason: 'queue-rate', until } : undefined;
}

/** The ring may hold tenants that a change of limits, or the cost of their next job, keeps from running: they are placed anew on the way. */
function nextEligible(call: Call): { readonly tenant: TenantRow; readonly job: JobRow } | undefined {
  for (;;) {
    const tenant = nextTenant(call);
    if (tenant === undefined) return undefined;
    const job = call.tables.head(tenant);
    if (job !== undefined && job.priority === tenant.headClass && holdOf(call, tenant, job.cost) === undefined) {
      return { tenant, job };
    }
    place(call, tenant);
  }
}

function lease(call: Call, tenant: TenantRow, job: JobRow, request: ExchangeRequest): ClaimedJob {
  const { tables, now } = call;
  const { queue } = tables;
  countWaiting(call, job, -1);
  queue.fence += 1;
  queue.leased += 1;
  if (queue.settings.limits.rate !== undefined) queue.tat = afterStart(queue.tat, now, queue.settings.limits.rate);
  job.state = 'leased';
  job.attempt += 1;
  job.session = request.session;
  job.call = request.call;
  job.fence = queue.fence;
  job.claimedAt = now;
  job.visibleUntil = job.visibility === undefined ? undefined : now + job.visibility;
  tables.saveJob(job, 'ready');
  charge(call, tenant, job);
  place(call, tenant);
  call.touched.delete(tenant);
  if (job.dedupe?.mode === 'debounce') tables.removeDedupe(job.dedupe.key);
  return asClaimed(job, now);
}

function asClaimed(job: JobRow, now: number): ClaimedJob {
  const claimed = {
    id: job.id,
    name: job.name,
    payload: job.payload,
    tenant: job.tenant,
    priority: job.priority,
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    fence: job.fence,
    cost: job.cost,
    enqueuedAt: job.enqueuedAt,
    waitMs: Math.max(0, now - (job.readyAt ?? now)),
    hasChildren: job.children > 0,
  };
  if (job.visibility === undefined && job.traceparent === undefined && job.parentId === undefined) return claimed;
  return {
    ...claimed,
    ...(job.visibility !== undefined && { visibility: job.visibility }),
    ...(job.traceparent !== undefined && { traceparent: job.traceparent }),
    ...(job.parentId !== undefined && { parentId: job.parentId }),
  };
}
