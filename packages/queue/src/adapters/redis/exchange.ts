import type {
  ClaimedJob,
  ExchangeAnswer,
  ExchangeRequest,
  FencedOutcome,
  HandOff,
  Settlement,
} from '../../contract/index.ts';
import { claimedJob, unescapeField } from './body.ts';
import type { Argument } from './client.ts';

/** How a settlement is told to the script; see `readDetail` in lua/settle.ts. */
function detailOf(settlement: Settlement): string {
  const { kind, cost } = settlement;
  if (kind === 'ack' && cost === undefined) return settlement.result === undefined ? '' : `r${settlement.result}`;
  if (kind === 'release' && cost === undefined) return 'back';
  return JSON.stringify({
    k: kind,
    c: cost,
    ...('delay' in settlement && { d: settlement.delay }),
    ...('failure' in settlement && { f: JSON.stringify(settlement.failure) }),
    ...(kind === 'ack' && { r: settlement.result }),
  });
}

/** Heads and details of all in two texts: an argument each costs both sides more than cutting them up. */
function settlementTexts(settle: readonly Settlement[]): readonly [heads: string, details: string] {
  let heads = '';
  let details = '';
  for (const settlement of settle) {
    const detail = detailOf(settlement);
    heads += `${settlement.jobId}\n${settlement.fence} ${detail === '' ? '' : Buffer.byteLength(detail)}\n`;
    details += detail;
  }
  return [heads, details];
}

/** Arguments of the exchange script. `shardPart`: see lua/shards.ts. */
export function exchangeArguments(request: ExchangeRequest, shardPart = ''): Argument[] {
  const { settle, extend, progress, lostCalls } = request;
  const args: Argument[] = [request.session, request.begin ? 1 : 0, request.lease, request.call, request.claim];
  args.push(request.housekeeping, request.end ? 1 : 0, lostCalls.length, settle.length, extend.length, progress.length);
  args.push(request.offer?.call ?? 0, request.offer?.within ?? 0, shardPart);
  args.push(...lostCalls);
  if (settle.length > 0) args.push(...settlementTexts(settle));
  for (const { jobId, fence, visibility } of extend) args.push(jobId, fence, visibility);
  for (const { jobId, fence, value, logs } of progress) args.push(jobId, fence, JSON.stringify({ value, logs }));
  return args;
}

type Reply = readonly [
  now: number,
  session: 'open' | 'lost',
  settled: string,
  extended: string,
  progressed: string,
  firstFence: string,
  claimed: readonly string[],
  cancelRequests: readonly string[],
  nextDue: number,
  more: number,
  dueSchedules: readonly string[],
  promoted: number,
  expired: readonly string[],
  forgotten: number,
  shardView: string,
];

/** The view that the script gives of a shard; see lua/shards.ts. */
export function shardViewOf(reply: unknown): string {
  return (reply as Reply)[14];
}

/** The script's answer. `step`: from one fence of a shard to the next. */
export function exchangeAnswer(request: ExchangeRequest, reply: unknown, step = 1): ExchangeAnswer {
  const [
    now,
    session,
    settled,
    extended,
    progressed,
    firstFence,
    claimed,
    cancels,
    nextDue,
    more,
    due,
    promoted,
    expired,
    forgotten,
  ] = reply as Reply;
  const fence = Number(firstFence);
  return {
    now,
    session,
    settled: outcomes(request.settle.length, settled),
    extended: outcomes(request.extend.length, extended),
    progressed: outcomes(request.progress.length, progressed),
    claimed: claimedJobs(claimed, fence, now, step),
    cancelRequests: groups(cancels, 2).map(([jobId = '', fenceText]) => ({ jobId, fence: Number(fenceText) })),
    ...(nextDue >= 0 && { nextDue }),
    more: more === 1,
    dueSchedules: due,
    swept: { promoted, expired: groups(expired, 5).map(expiredLease), forgotten },
  };
}

/** A message of the hand-off script; see lua/hand-off.ts. */
export function handOffOf(message: string): HandOff {
  const [call, time, firstFence, claimed] = JSON.parse(message) as [string, string, string, string[]];
  const now = Number(time);
  return { call: Number(call), now, jobs: claimedJobs(claimed, Number(firstFence), now, 1) };
}

function outcomes(length: number, marks: string): FencedOutcome[] {
  const answers: FencedOutcome[] = [];
  for (let index = 0; index < length; index += 1) answers.push(marks[index] === '1' ? 'applied' : 'stale');
  return answers;
}

function claimedJobs(flat: readonly string[], firstFence: number, now: number, step: number): ClaimedJob[] {
  const jobs: ClaimedJob[] = [];
  for (let index = 0; index < flat.length; index += 2) {
    jobs.push(claimedJob(flat[index] ?? '', flat[index + 1] ?? '', firstFence + (index / 2) * step, now));
  }
  return jobs;
}

function expiredLease([
  id = '',
  name = '',
  tenant = '',
  fence,
  to,
]: readonly string[]): ExchangeAnswer['swept']['expired'][number] {
  return {
    id,
    name: unescapeField(name),
    tenant: unescapeField(tenant),
    fence: Number(fence),
    to: to === 'dead' ? 'dead' : 'ready',
  };
}

function groups(flat: readonly string[], size: number): (readonly string[])[] {
  return Array.from({ length: flat.length / size }, (_, index) => flat.slice(index * size, (index + 1) * size));
}
