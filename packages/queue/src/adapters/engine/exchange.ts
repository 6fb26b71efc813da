import type { ExchangeAnswer, ExchangeRequest, FencedOutcome } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { claim, holdOfQueue } from './claim.ts';
import { extraOf } from './job-row.ts';
import { settleTouched } from './ring.ts';
import type { SessionRow } from './rows.ts';
import { settleAll } from './settle.ts';
import { returnUnused, sweep } from './sweep.ts';

/** Settle, keep the session, sweep, promote, claim. */
export function exchange(call: Call, request: ExchangeRequest): ExchangeAnswer {
  const { tables, now } = call;
  const session = openSession(call, request);
  if (session === undefined) return lostAnswer(call, request);
  const settled = settleAll(call, request);
  const extended = extendAll(call, request);
  const progressed = noteProgress(call, request);
  returnLostCalls(call, request);
  if (request.end) endSession(call, session);
  const swept = sweep(call, request.housekeeping);
  settleTouched(call);
  const { claimed, more } = claim(call, mayClaim(session, request) ? request : { ...request, claim: 0 });
  settleTouched(call);
  const due = nextDue(call);
  return {
    now,
    session: 'open',
    settled,
    extended,
    progressed,
    claimed,
    cancelRequests: tables.cancelRequestsOf(session.id).map((row) => ({ jobId: row.id, fence: row.fence })),
    ...(due !== undefined && { nextDue: due }),
    more,
    dueSchedules: tables.dueSchedules(now, 20),
    swept,
  };
}

/** @returns the renewed session, or undefined when it is lost */
function openSession(call: Call, request: ExchangeRequest): SessionRow | undefined {
  const { tables, now } = call;
  const known = tables.session(request.session);
  if (known === undefined && !request.begin) return undefined;
  if (known !== undefined && (known.over || known.expiresAt <= now)) return undefined;
  const row = known ?? { id: request.session, expiresAt: 0, barrier: 0, over: false, polite: false };
  row.expiresAt = now + request.lease;
  row.barrier = Math.max(row.barrier, ...request.lostCalls);
  tables.saveSession(row);
  return row;
}

function mayClaim(session: SessionRow, request: ExchangeRequest): boolean {
  return !request.end && request.call > session.barrier;
}

function lostAnswer(call: Call, request: ExchangeRequest): ExchangeAnswer {
  const swept = sweep(call, request.housekeeping);
  settleTouched(call);
  const stale = (items: readonly unknown[]): FencedOutcome[] => items.map(() => 'stale');
  return {
    now: call.now,
    session: 'lost',
    settled: stale(request.settle),
    extended: stale(request.extend),
    progressed: stale(request.progress),
    claimed: [],
    cancelRequests: [],
    more: false,
    dueSchedules: [],
    swept,
  };
}

function extendAll(call: Call, request: ExchangeRequest): FencedOutcome[] {
  return request.extend.map(({ jobId, fence, visibility }) => {
    const row = call.tables.leased(request.session, jobId, fence);
    if (row === undefined) return 'stale';
    extraOf(row).visibleUntil = call.now + visibility;
    call.tables.saveJob(row, 'leased');
    return 'applied';
  });
}

function noteProgress(call: Call, request: ExchangeRequest): FencedOutcome[] {
  return request.progress.map(({ jobId, fence, value, logs }) => {
    const row = call.tables.leased(request.session, jobId, fence);
    if (row === undefined) return 'stale';
    const extra = extraOf(row);
    if (value !== undefined) extra.progress = value;
    if (logs !== undefined) extra.logs = [...extra.logs, ...logs].slice(-100);
    call.tables.saveContent(row);
    return 'applied';
  });
}

/** A call claims at most a few hundred jobs, so this is bounded by the request. */
function returnLostCalls(call: Call, request: ExchangeRequest): void {
  if (request.lostCalls.length === 0) return;
  const rows = call.tables.leasedBy(request.session, Number.MAX_SAFE_INTEGER, request.lostCalls);
  for (const row of rows) returnUnused(call, row);
}

/** What the session still holds goes back in this call's sweep, and the next ones'. */
function endSession(call: Call, session: SessionRow): void {
  call.tables.saveSession({ ...session, over: true, polite: true });
}

function nextDue(call: Call): number | undefined {
  const { delayed, visible, parked, expiry, schedule } = call.tables.nextTimes();
  const times = [delayed, visible, parked, expiry, schedule, holdOfQueue(call)?.until];
  let next: number | undefined;
  for (const time of times) if (time !== undefined) next = Math.min(next ?? time, time);
  return next === undefined ? undefined : Math.max(0, next - call.now);
}
