import type { ClaimedJob, ExchangeRequest } from '../../contract/index.ts';
import { type Call, limitsOf } from './call.ts';
import { extraOf, isOrdinary, type JobRow, type Lease } from './job-row.ts';
import { afterStart, nextAllowed } from './rate.ts';
import { charge, holdBack, holdOf } from './ring.ts';
import type { ClassRow, LineRow } from './rows.ts';
import { countWaiting } from './waiting.ts';

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
  call.tables.expectClaims(request.claim);
  const claimed: ClaimedJob[] = [];
  const by: Lease = { session: request.session, call: request.call, claimedAt: call.now };
  while (claimed.length < request.claim) {
    if (holdOfQueue(call) !== undefined) return { claimed, more: false };
    const turn = nextTurn(call);
    if (turn === undefined) return { claimed, more: false };
    claimed.push(lease(call, turn, by));
  }
  return { claimed, more: holdOfQueue(call) === undefined && nextTurn(call) !== undefined };
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

/** A line and its first job, which may start. */
interface Turn {
  readonly class: ClassRow;
  readonly line: LineRow;
  readonly job: JobRow;
}

/** The class whose turn it is, in it the line whose turn it is. What a limit holds leaves the ring on the way. */
function nextTurn(call: Call): Turn | undefined {
  const { tables } = call;
  for (let next = tables.nextClass(); next !== undefined; next = tables.nextClass()) {
    for (let line = tables.ringTop(next.priority); line !== undefined; line = tables.ringTop(next.priority)) {
      const job = checkLine(call, line);
      if (job !== undefined) return { class: next, line, job };
    }
    tables.removeClass(next);
  }
  return undefined;
}

/** @returns the first job of the line, if it may start; else the line has been moved */
function checkLine(call: Call, line: LineRow): JobRow | undefined {
  const { tables } = call;
  const { tenant } = line;
  if (line.score < tenant.vtime) {
    line.score = tenant.vtime;
    tables.saveLine(line);
    return undefined;
  }
  const job = tables.head(line);
  const hold = job === undefined ? undefined : holdOf(call, tenant, job);
  if (job === undefined) tables.removeLine(line);
  else if (hold !== undefined) holdBack(call, line, hold);
  return hold === undefined ? job : undefined;
}

function lease(call: Call, turn: Turn, by: Lease): ClaimedJob {
  const { tables, now } = call;
  const { line, job } = turn;
  const { queue } = tables;
  countWaiting(call, line.tenant, job, -1);
  queue.fence += 1;
  queue.leased += 1;
  if (queue.settings.limits.rate !== undefined) queue.tat = afterStart(queue.tat, now, queue.settings.limits.rate);
  job.state = 'leased';
  job.attempt += 1;
  job.fence = queue.fence;
  job.lease = by;
  const { visibility, dedupe } = job.extra;
  if (visibility !== undefined) extraOf(job).visibleUntil = now + visibility;
  tables.saveJob(job, 'ready');
  charge(call, line.tenant, job);
  moveOn(call, turn);
  if (dedupe?.mode === 'debounce') tables.removeDedupe(dedupe.key);
  return asClaimed(job, now);
}

/** After its turn the line goes on in the ring, or leaves it: empty, or held, which is seen now so that people see until when. */
function moveOn(call: Call, { class: served, line }: Turn): void {
  const { tables, now } = call;
  const { tenant } = line;
  if (tables.isEmpty(line)) {
    tables.removeLine(line);
  } else {
    // Only a budget asks which job it is.
    const next = limitsOf(call, tenant).budget === undefined ? undefined : tables.head(line);
    const hold = holdOf(call, tenant, next);
    if (hold === undefined) {
      line.score = tenant.vtime;
      tables.saveLine(line);
    } else {
      holdBack(call, line, hold);
    }
  }
  if (served.since === now) return;
  served.since = now;
  tables.saveClass(served);
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
    hasChildren: job.extra.children > 0,
  };
  if (isOrdinary(job)) return claimed;
  const { visibility, traceparent, parentId } = job.extra;
  return {
    ...claimed,
    ...(visibility !== undefined && { visibility }),
    ...(traceparent !== undefined && { traceparent }),
    ...(parentId !== undefined && { parentId }),
  };
}
