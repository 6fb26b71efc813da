import type {
  ChildView,
  ControlInput,
  Explanation,
  JobView,
  Page,
  QueueCounts,
  TenantView,
} from '../../contract/index.ts';
import { type Call, limitsOf } from './call.ts';
import { pageLimit } from './change-jobs.ts';
import { holdOfQueue } from './claim.ts';
import type { JobRow } from './job-row.ts';
import { holdOf, spentIn } from './ring.ts';
import type { TenantRow } from './rows.ts';

/** The job as people see it. */
export function jobView(row: JobRow): JobView {
  const { finishedAt, result, progress, parentId, dedupe, traceparent } = row.extra;
  const { cancelRequested, logs, failures, pendingChildren } = row.extra;
  const optional = {
    readyAt: row.readyAt,
    finishedAt,
    result,
    progress,
    parentId,
    dedupeKey: dedupe?.key,
    traceparent,
    lease: row.lease && { session: row.lease.session, fence: row.fence, claimedAt: row.lease.claimedAt },
  };
  const present = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    id: row.id,
    name: row.name,
    tenant: row.tenant,
    state: row.state,
    priority: row.priority,
    attempt: row.attempt,
    maxAttempts: row.maxAttempts,
    cost: row.cost,
    payload: row.payload,
    bytes: row.bytes,
    enqueuedAt: row.enqueuedAt,
    cancelRequested,
    logs,
    failures,
    pendingChildren,
    ...Object.fromEntries(present),
  };
}

/** The tenant as people see it. */
export function tenantView(call: Call, row: TenantRow): TenantView {
  const { budget } = limitsOf(call, row);
  return {
    tenant: row.name,
    limits: row.limits,
    paused: row.paused,
    ready: row.ready,
    delayed: row.delayed,
    leased: row.leased,
    waitingBytes: row.waitingBytes,
    spent: budget === undefined ? 0 : spentIn(call, row, budget.per),
    ...(row.parkedUntil !== undefined && { parkedFor: Math.max(0, row.parkedUntil - call.now) }),
  };
}

/** From the counters. */
export function counts(call: Call): QueueCounts {
  const { queue } = call.tables;
  const oldest = call.tables.oldestReadyAt();
  return {
    ready: queue.ready,
    delayed: queue.delayed,
    leased: queue.leased,
    succeeded: queue.succeeded.count,
    dead: queue.dead.count,
    cancelled: queue.cancelled.count,
    waitingBytes: queue.waitingBytes,
    sessions: call.tables.sessionCount(call.now),
    paused: queue.paused,
    oldestReadyAge: oldest === undefined ? 0 : Math.max(0, call.now - oldest),
  };
}

/** A page of jobs in the order of enqueueing; the cursor is the last sequence number. */
export function list(call: Call, { filter, cursor, limit }: ControlInput<'list'>): Page<JobView> {
  const size = Math.min(limit, pageLimit);
  const rows = call.tables.findJobs(filter, Number(cursor ?? 0), size);
  const last = rows.length === size ? rows.at(-1) : undefined;
  return { items: rows.map(jobView), ...(last !== undefined && { cursor: String(last.seq) }) };
}

/** A page of tenants by name. */
export function tenantPage(call: Call, { cursor, limit }: ControlInput<'tenants'>): Page<TenantView> {
  const size = Math.min(limit, pageLimit);
  const rows = call.tables.tenantsAfter(cursor, size);
  const last = rows.length === size ? rows.at(-1) : undefined;
  return { items: rows.map((row) => tenantView(call, row)), ...(last !== undefined && { cursor: last.name }) };
}

/** How the finished children of a job ended. */
export function childViews(call: Call, { parentId }: ControlInput<'children'>): readonly ChildView[] {
  return call.tables.children(parentId).map(({ id, name, state, result, failure }) => ({
    id,
    name,
    state,
    ...(result !== undefined && { result }),
    ...(failure !== undefined && { failure }),
  }));
}

/** Why the job does not run. */
export function explain(call: Call, { id }: ControlInput<'explain'>): Explanation {
  const row = call.tables.job(id);
  if (row === undefined) return { reason: 'unknown-job' };
  if (row.state === 'leased') return { reason: 'running' };
  if (row.state === 'delayed') return explainDelay(row);
  if (row.state !== 'ready') return { reason: 'finished' };
  const hold = holdOfQueue(call) ?? holdOf(call, call.tables.tenant(row.tenant), row);
  const ahead = call.tables.aheadOf(row, 1_000);
  if (hold !== undefined) return { ...hold, ahead };
  return { reason: call.tables.sessionCount(call.now) === 0 ? 'no-worker' : 'next-in-line', ahead };
}

function explainDelay(row: JobRow): Explanation {
  if (row.readyAt !== undefined) return { reason: 'delayed', until: row.readyAt };
  return { reason: row.extra.pendingChildren > 0 ? 'waits-for-children' : 'waits-for-previous' };
}
