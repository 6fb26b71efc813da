import type { ExchangeAnswer, JobFailure } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { addFailure, finish, forget, keptBytes } from './finish.ts';
import { extraOf, type JobRow } from './job-row.ts';
import { comeBack, endLease, giveBack } from './settle.ts';
import type { FinishedState } from './tables.ts';
import { reschedule } from './waiting.ts';

type Swept = ExchangeAnswer['swept'];
type Expired = Swept['expired'][number];

/** Housekeeping, each part bounded by `limit`: expired sessions and leases, due delays, parked tenants, old keys, retention. */
export function sweep(call: Call, limit: number): Swept {
  const { tables, now } = call;
  const next = tables.nextTimes();
  const isDue = (time: number | undefined): boolean => time !== undefined && time <= now;
  const expired: Expired[] = [];
  if (isDue(next.expiry)) expired.push(...expireSessions(call, limit));
  if (isDue(next.visible)) expired.push(...expireLeases(call, limit));
  const promoted = isDue(next.delayed) ? promote(call, limit) : 0;
  if (isDue(next.parked)) for (const tenant of tables.parkedBefore(now, limit)) call.freed.add(tenant);
  if (isDue(next.dedupe)) for (const row of tables.dedupeBefore(now, limit)) tables.removeDedupe(row.key);
  return { promoted, expired, forgotten: retain(call, limit, isDue(next.kept)) };
}

function expireSessions(call: Call, limit: number): Expired[] {
  const { tables } = call;
  const expired: Expired[] = [];
  for (const session of tables.expiredSessions(call.now, limit)) {
    const leases = tables.leasedBy(session.id, limit - expired.length);
    for (const row of leases) {
      if (session.polite) returnUnused(call, row);
      else expired.push(expire(call, row));
    }
    if (expired.length >= limit || leases.length >= limit) {
      tables.saveSession({ ...session, over: true });
      break;
    }
    tables.removeSession(session.id);
  }
  return expired;
}

function expireLeases(call: Call, limit: number): Expired[] {
  return call.tables.visibleBefore(call.now, limit).map((row) => expire(call, row));
}

/** Gives a lease back that was never used: no attempt counts, no cost. */
export function returnUnused(call: Call, row: JobRow): void {
  endLease(call, row, 0);
  giveBack(call, row);
}

/** A lease ended without settlement: the attempt counts, the job is ready at once, or dead. */
function expire(call: Call, row: JobRow): Expired {
  const last = row.attempt >= row.maxAttempts;
  const event = {
    id: row.id,
    name: row.name,
    tenant: row.tenant,
    fence: row.fence,
    to: last ? 'dead' : 'ready',
  } as const;
  endLease(call, row, row.cost);
  addFailure(row, leaseLost(row, call.now));
  if (last && !row.extra.cancelRequested) finish(call, row, 'dead', 'leased');
  else comeBack(call, row, call.now);
  return event;
}

function leaseLost(row: JobRow, now: number): JobFailure {
  return {
    attempt: row.attempt,
    at: now,
    message: 'The lease ended without a settlement: the worker died, was cut off, or did not extend it.',
    code: 'ERR_LEASE_LOST',
    fingerprint: 'ERR_LEASE_LOST',
  };
}

function promote(call: Call, limit: number): number {
  const due = call.tables.delayedBefore(call.now, limit);
  for (const row of due) reschedule(call, row, row.readyAt ?? call.now);
  return due.length;
}

function retain(call: Call, limit: number, keptDue: boolean): number {
  let forgotten = 0;
  if (keptDue) for (const row of call.tables.keptBefore(call.now, limit)) forgotten += release(call, row);
  for (const state of ['succeeded', 'dead', 'cancelled'] as const) forgotten += trim(call, state, limit);
  return forgotten;
}

/** The time of a kept result is over: retention decides from now on. */
function release(call: Call, row: JobRow): number {
  const { queue } = call.tables;
  if (queue.settings.retention.succeeded.count === 0) {
    forget(call, row);
    return 1;
  }
  extraOf(row).keepUntil = undefined;
  queue.succeeded.bytes += keptBytes(row);
  call.tables.saveJob(row, 'succeeded');
  return 0;
}

function trim(call: Call, state: FinishedState, limit: number): number {
  const { tables, now } = call;
  const rule = tables.queue.settings.retention[state];
  const kept = tables.queue[state];
  let forgotten = 0;
  while (forgotten < limit && kept.count > 0) {
    const oldest = tables.oldestFinished(state);
    if (oldest === undefined) break;
    const tooOld = (oldest.extra.finishedAt ?? 0) + rule.age <= now;
    if (!tooOld && kept.count <= rule.count && kept.bytes <= rule.bytes) break;
    forget(call, oldest);
    forgotten += 1;
  }
  return forgotten;
}
