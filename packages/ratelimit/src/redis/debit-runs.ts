import { type DebitDecision, type DebitRequest, usualWaitMs } from '../store.ts';

/** Equal requests that follow each other. */
export interface Run {
  /** Requests in the run; one for a request of several copies. */
  size: number;
  readonly request: DebitRequest;
}

/**
 * The requests of a batch with equal ones gathered, as the script of debit.lua.ts reads them: the calls of a hot key mostly cost the same,
 * and their decisions then take one short record in each direction.
 */
export function runsOf(
  requests: readonly DebitRequest[],
  micros: (milliseconds: number) => number,
): { readonly args: number[]; readonly runs: readonly Run[] } {
  if (isUsual(requests)) return usual;
  const runs: Run[] = [];
  for (const request of requests) {
    const last = runs.at(-1);
    if (last !== undefined && isSame(last.request, request)) last.size += 1;
    else runs.push({ size: 1, request });
  }
  const args: number[] = [];
  for (const { size, request } of runs) {
    args.push(request.copies > 1 ? -request.copies : size, micros(request.maxWait), ...request.cost);
  }
  return { args, runs };
}

/** What {@link runsOf} answers for it: the script takes a call without words for one that costs 1 each. */
const usual = { args: [], runs: [{ size: 1, request: { cost: [], maxWait: usualWaitMs, share: 0, copies: 1 } }] };

/** One request of the kind that needs no words. */
function isUsual(requests: readonly DebitRequest[]): boolean {
  const [request] = requests;
  if (request === undefined || requests.length > 1) return false;
  if (request.copies !== 1 || request.maxWait !== usualWaitMs) return false;
  for (const units of request.cost) if (units !== 1) return false;
  return true;
}

function isSame(a: DebitRequest, b: DebitRequest): boolean {
  if (a.maxWait !== b.maxWait || a.copies !== 1 || b.copies !== 1) return false;
  if (a.cost === b.cost) return true;
  for (let i = 0; i < a.cost.length; i++) if (a.cost[i] !== b.cost[i]) return false;
  return true;
}

/** The decisions of all requests, in their order. Calls of a run that go now share one answer. */
export function decisionsOf(reply: number | readonly number[], runs: readonly Run[]): DebitDecision[] {
  return typeof reply === 'number' ? allNow(reply, runs) : mixed(reply, runs);
}

function goesNow(at: number, granted: number): DebitDecision {
  return { granted, wait: 0, at, limitedBy: -1, share: 0, pausedFor: 0 };
}

function allNow(now: number, runs: readonly Run[]): DebitDecision[] {
  const decisions: DebitDecision[] = [];
  for (const { size, request } of runs) {
    const decision = goesNow(now, request.copies);
    for (let i = 0; i < size; i++) decisions.push(decision);
  }
  return decisions;
}

function mixed(reply: readonly number[], runs: readonly Run[]): DebitDecision[] {
  const [now = 0, pause = 0] = reply;
  const pausedFor = pause / 1000;
  const decisions: DebitDecision[] = [];
  let next = 2;
  const record = (granted: number): DebitDecision => {
    const wait = reply[next] ?? 0;
    const limitedBy = reply[next + 1] ?? -1;
    return { granted, wait: wait / 1000, at: now + wait, limitedBy, share: 0, pausedFor };
  };
  for (const { size, request } of runs) {
    const goNow = reply[next] ?? 0;
    const goLater = reply[next + 1] ?? 0;
    next += 2;
    const isCopies = request.copies > 1;
    const admitted = goesNow(now, isCopies ? goNow : 1);
    let decided = isCopies ? Math.min(1, goNow) : goNow;
    for (let i = 0; i < decided; i++) decisions.push(admitted);
    for (let i = 0; i < goLater; i++, decided++, next += 2) decisions.push(record(1));
    if (decided >= size) continue;
    const refused = record(0);
    next += 2;
    for (; decided < size; decided++) decisions.push(refused);
  }
  return decisions;
}
