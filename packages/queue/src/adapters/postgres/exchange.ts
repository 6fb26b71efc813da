import type {
  CancelRequest,
  ExchangeAnswer,
  ExchangeRequest,
  FencedOutcome,
  Settlement,
} from '../../contract/index.ts';
import { type ClaimColumns, claimedJobs } from './claimed.ts';

/** A settlement as a list, see `fn.settle_all`. */
function settlementRow(settlement: Settlement, place: number): unknown[] {
  const { jobId, fence, kind, cost = null } = settlement;
  return [
    ...[place, jobId, fence, kind, cost],
    'delay' in settlement ? settlement.delay : null,
    'failure' in settlement ? settlement.failure : null,
    kind === 'ack' ? (settlement.result ?? null) : null,
  ];
}

/** Places of settlements in a request: acks without a cost go together, by rising fences, unless one lease is settled twice. */
interface Sorted {
  readonly acks: readonly number[];
  readonly others: readonly number[];
}

function sortSettlements(settle: readonly Settlement[]): Sorted {
  const distinct = new Set(settle.map(({ fence }) => fence)).size === settle.length;
  const acks: number[] = [];
  const others: number[] = [];
  for (const [index, { kind, cost }] of settle.entries()) {
    (distinct && kind === 'ack' && cost === undefined ? acks : others).push(index);
  }
  acks.sort((a, b) => (settle[a] as Settlement).fence - (settle[b] as Settlement).fence);
  return { acks, others };
}

const json = (list: readonly unknown[]): string | null => (list.length === 0 ? null : JSON.stringify(list));

/** A list of texts in the notation of PostgreSQL arrays. */
function textArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** Arguments of `fn.exchange` after the number of the queue. */
export function exchangeArguments(request: ExchangeRequest): unknown[] {
  const { settle, extend, progress } = request;
  const { acks, others } = sortSettlements(settle);
  const acked = acks.map((index) => settle[index] as Settlement);
  const results = acked.map((settlement) => ('result' in settlement ? (settlement.result ?? null) : null));
  return [
    ...[request.session, request.begin, Math.round(request.lease), request.call],
    `{${request.lostCalls.join(',')}}`,
    ...[request.claim, request.housekeeping, request.end],
    textArray(acked.map(({ jobId }) => jobId)),
    `{${acked.map(({ fence }) => fence).join(',')}}`,
    `{${acks.join(',')}}`,
    results.some((result) => result !== null) ? JSON.stringify(results) : null,
    json(others.map((place) => settlementRow(settle[place] as Settlement, place))),
    json(extend.map(({ jobId, fence, visibility }) => [jobId, fence, Math.round(visibility)])),
    json(progress.map(({ jobId, fence, value, logs }) => [jobId, fence, value ?? null, logs ?? null])),
  ];
}

interface Told {
  readonly now: number;
  /** Another one after a crash or failover of the server. */
  readonly epoch: number;
  readonly lost?: boolean;
  readonly stale?: readonly number[];
  readonly staleExtensions?: readonly number[];
  readonly staleNotes?: readonly number[];
  readonly promoted?: number;
  readonly forgotten?: number;
  readonly expired?: readonly (readonly [
    id: string,
    name: string,
    tenant: string,
    fence: number,
    to: 'ready' | 'dead',
  ])[];
  readonly due?: number;
  readonly more?: boolean;
  /** Others may want to know: jobs became ready, jobs that somebody may wait for ended. */
  readonly ready?: boolean;
  readonly finished?: boolean;
}

type Reply = readonly [Told, readonly (readonly [string, number])[], readonly string[], ClaimColumns | null];

/** An answer, and whom to tell. */
export interface Exchanged {
  readonly answer: ExchangeAnswer;
  readonly epoch: number;
  readonly ready: boolean;
  readonly finished: boolean;
}

/** Stands between the JSON and the payloads; see `fn.exchange`. */
const endOfJson = '\u001e';

/** The answer of `fn.exchange`. */
export function exchangeAnswer(request: ExchangeRequest, text: string): Exchanged {
  const end = text.indexOf(endOfJson);
  const parsed = JSON.parse(end < 0 ? text : text.slice(0, end)) as Reply | Told;
  const [told, cancels, dueSchedules, columns] = Array.isArray(parsed)
    ? (parsed as Reply)
    : ([parsed as Told, [], [], null] as const);
  const { now, lost = false, due } = told;
  const answer: ExchangeAnswer = {
    now,
    session: lost ? 'lost' : 'open',
    settled: outcomes(request.settle.length, lost, told.stale),
    extended: outcomes(request.extend.length, lost, told.staleExtensions),
    progressed: outcomes(request.progress.length, lost, told.staleNotes),
    claimed: claimedJobs(columns, text.slice(end + 1), now),
    cancelRequests: cancels.map(([jobId, fence]): CancelRequest => ({ jobId, fence })),
    ...(due !== undefined && { nextDue: Math.max(0, due - now) }),
    more: told.more === true,
    dueSchedules,
    swept: sweptOf(told),
  };
  return { answer, epoch: told.epoch, ready: told.ready === true, finished: told.finished === true };
}

function outcomes(length: number, lost: boolean, stale: readonly number[] = []): FencedOutcome[] {
  const list = Array.from({ length }, (): FencedOutcome => (lost ? 'stale' : 'applied'));
  for (const index of stale) list[index] = 'stale';
  return list;
}

function sweptOf({ promoted = 0, forgotten = 0, expired = [] }: Told): ExchangeAnswer['swept'] {
  return {
    promoted,
    forgotten,
    expired: expired.map(([id, name, tenant, fence, to]) => ({ id, name, tenant, fence, to })),
  };
}
