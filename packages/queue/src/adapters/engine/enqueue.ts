import type { EnqueueAnswer, EnqueueRequest, NewJob, QueueLimits } from '../../contract/index.ts';
import { type Call, limitsOf } from './call.ts';
import { answerDuplicate, holdKey } from './dedupe.ts';
import { extraOf, type JobRow, newJobRow } from './job-row.ts';
import { settleTouched } from './ring.ts';
import { makeWaiting } from './waiting.ts';

type Rejection = Extract<EnqueueAnswer, { status: 'rejected' }>;

/** Milliseconds after which a producer that met a high-water mark is told to try again. */
const retryAfter = 1_000;

/** Stores jobs, each decided on its own; or all or none when `atomic`. */
export function enqueue(call: Call, request: EnqueueRequest): EnqueueAnswer[] {
  if (request.atomic) {
    const rejection = rejectAll(call, request.jobs);
    if (rejection !== undefined) return request.jobs.map(() => rejection);
  }
  call.tables.expectJobs(request.jobs);
  const answers = request.jobs.map((job) => enqueueOne(call, job, request.atomic === true));
  settleTouched(call);
  return answers;
}

function enqueueOne(call: Call, job: NewJob, admitted: boolean): EnqueueAnswer {
  const { tables } = call;
  if (tables.job(job.id) !== undefined) return { status: 'accepted', id: job.id };
  const key = job.dedupe && tables.dedupe(job.dedupe.key);
  if (key !== undefined && (key.until === undefined || key.until > call.now)) {
    const duplicate = answerDuplicate(call, key, job);
    if (duplicate !== undefined) return duplicate;
  }
  const rejection = admitted ? undefined : reject(call, job.tenant, 1, job.bytes);
  if (rejection !== undefined) return rejection;
  const followUp = key?.until === undefined && key !== undefined && job.dedupe?.mode === 'keep-last';
  const held = followUp || job.children > 0;
  insert(
    call,
    job,
    held ? undefined : call.now + (job.dedupe?.mode === 'debounce' ? (job.dedupe.ttl ?? 0) : job.delay),
  );
  if (job.dedupe !== undefined) holdKey(call, key, job, job.dedupe);
  return { status: 'accepted', id: job.id };
}

/** @returns why these many jobs and bytes may not be added, or undefined when they may */
function reject(call: Call, tenant: string, count: number, bytes: number): Rejection | undefined {
  return rejectByQueue(call, count, bytes) ?? rejectByTenant(call, tenant, count, bytes);
}

function rejectByQueue(call: Call, count: number, bytes: number): Rejection | undefined {
  const { queue } = call.tables;
  return overMark('queue', queue.settings.limits, queue, count, bytes);
}

function rejectByTenant(call: Call, name: string, count: number, bytes: number): Rejection | undefined {
  const tenant = call.tables.tenant(name);
  return overMark('tenant', limitsOf(call, tenant), tenant, count, bytes);
}

function overMark(
  scope: 'queue' | 'tenant',
  limits: QueueLimits,
  waiting: { readonly ready: number; readonly delayed: number; readonly waitingBytes: number },
  count: number,
  bytes: number,
): Rejection | undefined {
  const { maxWaiting = Number.POSITIVE_INFINITY, maxWaitingBytes = Number.POSITIVE_INFINITY } = limits;
  if (waiting.ready + waiting.delayed + count > maxWaiting) return refuse(scope, 'count');
  if (waiting.waitingBytes + bytes > maxWaitingBytes) return refuse(scope, 'bytes');
  return undefined;
}

function refuse(scope: 'queue' | 'tenant', limit: 'count' | 'bytes'): Rejection {
  return { status: 'rejected', reason: { scope, limit }, retryAfter };
}

function rejectAll(call: Call, jobs: readonly NewJob[]): Rejection | undefined {
  const sums = new Map<string, { count: number; bytes: number }>();
  for (const job of jobs) {
    const sum = sums.get(job.tenant) ?? { count: 0, bytes: 0 };
    sums.set(job.tenant, { count: sum.count + 1, bytes: sum.bytes + job.bytes });
  }
  for (const [tenant, { count, bytes }] of sums) {
    const rejection = rejectByTenant(call, tenant, count, bytes);
    if (rejection !== undefined) return rejection;
  }
  const bytes = jobs.reduce((sum, job) => sum + job.bytes, 0);
  return rejectByQueue(call, jobs.length, bytes);
}

function isPlain(job: NewJob): boolean {
  return (
    job.visibility === undefined &&
    job.keepResult === 0 &&
    job.traceparent === undefined &&
    job.parentId === undefined &&
    job.children === 0 &&
    job.dedupe === undefined
  );
}

function noteExtra(row: JobRow, job: NewJob): void {
  const extra = extraOf(row);
  extra.visibility = job.visibility;
  extra.keepResult = job.keepResult;
  extra.traceparent = job.traceparent;
  extra.parentId = job.parentId;
  extra.onFailure = job.onFailure ?? 'fail-parent';
  extra.children = job.children;
  extra.pendingChildren = job.children;
  extra.dedupe = job.dedupe;
}

function insert(call: Call, job: NewJob, readyAt: number | undefined): void {
  const { tables, now } = call;
  tables.queue.seq += 1;
  const row = newJobRow(tables.queue.seq, job);
  row.payload = job.payload;
  row.bytes = job.bytes;
  row.priority = job.priority;
  row.readyAt = readyAt;
  row.maxAttempts = job.maxAttempts;
  row.cost = job.cost;
  row.enqueuedAt = now;
  if (!isPlain(job)) noteExtra(row, job);
  makeWaiting(call, row, readyAt);
  tables.insertJob(row);
}
