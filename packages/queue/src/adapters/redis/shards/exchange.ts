import type { ClaimedJob, ExchangeAnswer, ExchangeRequest } from '../../../contract/index.ts';
import type { Shard } from '../shard.ts';
import { lostAnswer, mergeAnswers, mergeClaims, noParts, partsOf } from './parts.ts';
import { type Portion, planRound } from './plan.ts';
import { callsOf, callsPerExchange, createSessions, type Seat } from './sessions.ts';
import type { Shares } from './shares.ts';
import { mayServe, presentTime, readView, type ShardView } from './view.ts';

/** From this many ready jobs per wanted one, and at least so many, figures of the last answers are good enough to claim by. */
const deepFactor = 8;
const deepAtLeast = 1_000;
/** Milliseconds for which a shard's view is good enough for that. */
const freshFor = 1_000;
/** Milliseconds between two divisions of the limits that were not asked for by an unused part of them. */
const divideEvery = 250;
/** Milliseconds after a division for use of what is unused. */
const divideSoon = 20;

/** What is known of the shards in this process. */
interface Memory {
  readonly views: (ShardView | undefined)[];
  readonly steps: (number | undefined)[];
  seenAt: number;
  /** Highest fence seen. */
  fence: number;
  dividedAt: number;
}

/** One exchange of the contract, under way. */
interface Turn {
  readonly request: ExchangeRequest;
  readonly seats: readonly Seat[];
  readonly answers: (ExchangeAnswer | undefined)[];
  readonly views: (ShardView | undefined)[];
  readonly claimed: ClaimedJob[][];
  /** Of `callsPerExchange`. */
  round: number;
}

/** Creates the exchange of a queue over several shards: all of them settle, renew and sweep; then those claim whose turn it is. */
export function createExchange(
  shards: readonly Shard[],
  shares: Shares,
  monotonic: () => number,
): (request: ExchangeRequest) => Promise<ExchangeAnswer> {
  const sessions = createSessions(shards.length);
  const memory: Memory = {
    views: shards.map(() => undefined),
    steps: shards.map(() => undefined),
    seenAt: Number.NEGATIVE_INFINITY,
    fence: 0,
    dividedAt: Number.NEGATIVE_INFINITY,
  };

  /** One call to one shard. Undefined: it did not answer, and nothing of this session depends on that. */
  async function ask(turn: Turn, shard: number, request: ExchangeRequest, portion: Portion | undefined): Promise<void> {
    const seat = turn.seats[shard] as Seat;
    const told = seat.lost;
    const { onlyClass = '', horizon = '' } = portion ?? {};
    const present = memory.seenAt > Number.NEGATIVE_INFINITY && portion !== undefined ? presentTime(turn.views) : '';
    const part = `${memory.fence},${turn.request.claim > 0 ? 1 : 0},${onlyClass},${horizon},${present}`;
    const whole = { ...request, begin: request.begin || !seat.begun, lostCalls: [...request.lostCalls, ...told] };
    try {
      const { answer, view: text } = await (shards[shard] as Shard).exchange(whole, part);
      if (told.length > 0) seat.lost = seat.lost.filter((call) => !told.includes(call));
      if (answer.session === 'lost') return void noteLost(turn, shard, answer);
      seat.begun = true;
      note(turn, shard, answer, readView(text));
    } catch (error) {
      seat.lost = [...seat.lost, request.call];
      if (turn.round === 0 && (seat.held > 0 || needsAnswer(request))) throw error;
      turn.views[shard] = undefined;
    }
  }

  /** A session that holds nothing in the shard begins there anew with the next call. */
  function noteLost(turn: Turn, shard: number, answer: ExchangeAnswer): void {
    const seat = turn.seats[shard] as Seat;
    turn.views[shard] = undefined;
    if (turn.round === 0) turn.answers[shard] = answer;
    if (seat.held === 0) seat.begun = turn.request.end;
  }

  function note(turn: Turn, shard: number, answer: ExchangeAnswer, view: ShardView): void {
    const before = turn.views[shard];
    const count = answer.claimed.length;
    turn.answers[shard] ??= answer;
    turn.claimed[shard]?.push(...answer.claimed);
    if (before !== undefined && count > 1 && before.class === view.class && view.vtime > before.vtime) {
      memory.steps[shard] = (view.vtime - before.vtime) / count;
    }
    (turn.seats[shard] as Seat).held = view.held;
    turn.views[shard] = view;
    memory.views[shard] = view;
    memory.fence = Math.max(memory.fence, answer.claimed.at(-1)?.fence ?? 0);
  }

  /** Enough waits, and was seen so lately, that the first call may claim at once. */
  function isDeep(want: number): boolean {
    if (want === 0 || monotonic() - memory.seenAt > freshFor) return false;
    const ready = memory.views.reduce((sum, view) => sum + (mayServe(view) ? view.ready : 0), 0);
    return ready >= Math.max(deepAtLeast, want * deepFactor);
  }

  async function settleEverywhere(turn: Turn, plan: readonly Portion[]): Promise<void> {
    const { request } = turn;
    const parts = partsOf(request, shards.length);
    const lostCalls = request.lostCalls.flatMap(callsOf);
    const tries = await Promise.allSettled(
      shards.map((_, shard) => {
        const portion = plan.find((one) => one.shard === shard);
        const call = request.call * callsPerExchange;
        return ask(turn, shard, { ...request, ...parts[shard], call, lostCalls, claim: portion?.claim ?? 0 }, portion);
      }),
    );
    for (const one of tries) if (one.status === 'rejected') throw one.reason;
    memory.seenAt = monotonic();
    turn.round = 1;
  }

  async function claimRound(turn: Turn, plan: readonly Portion[]): Promise<void> {
    const call = turn.request.call * callsPerExchange + turn.round;
    const bare = { ...turn.request, ...noParts, begin: false, lostCalls: [], call, housekeeping: 0 };
    await Promise.all(plan.map((portion) => ask(turn, portion.shard, { ...bare, claim: portion.claim }, portion)));
    turn.round += 1;
  }

  const countOf = (turn: Turn): number => turn.claimed.reduce((sum, jobs) => sum + jobs.length, 0);

  async function claimUpTo(turn: Turn, want: number): Promise<void> {
    while (turn.round < callsPerExchange && countOf(turn) < want) {
      const last = turn.round === callsPerExchange - 1;
      const plan = planRound(turn.views, want - countOf(turn), { last, steps: memory.steps });
      if (plan.length > 0) await claimRound(turn, plan);
      else if (!(await divideIfWorthwhile(turn))) return;
    }
  }

  /** A part of the queue's limits may lie where it is not needed. Answers whether there is something to claim now. */
  async function divideIfWorthwhile(turn: Turn): Promise<boolean> {
    const isHeld = turn.views.some((view) => view?.hold.startsWith('queue-') === true && view.hold !== 'queue-paused' && view.ready > 0);
    const isStale = turn.views.some((view) => view?.isStale === true);
    const since = monotonic() - memory.dividedAt;
    const isDue = isStale || (isHeld && since > (hasUnused(turn.views) ? divideSoon : divideEvery));
    if (!isDue || turn.round >= callsPerExchange - 1) return false;
    memory.dividedAt = monotonic();
    await shares.divide();
    await claimRound(turn, turn.views.flatMap((view, shard) => (view === undefined ? [] : [{ shard, claim: 0 }])));
    const gained = turn.views.some(mayServe);
    if (gained) memory.dividedAt = Number.NEGATIVE_INFINITY;
    return gained;
  }

  async function endEverywhere(turn: Turn): Promise<void> {
    const { session, call, lease } = turn.request;
    const ending = { session, lease, begin: false, lostCalls: [], claim: 0, housekeeping: 0, end: true, ...noParts };
    const open = shards.filter((_, shard) => turn.answers[shard]?.session === 'open');
    const last = call * callsPerExchange + callsPerExchange - 1;
    await Promise.allSettled(open.map((shard) => shard.exchange({ ...ending, call: last })));
  }

  return async (request) => {
    const { session, claim, end } = request;
    const seats = sessions.of(session, request.begin);
    const deep = isDeep(claim);
    const turn: Turn = {
      request,
      seats,
      answers: shards.map(() => undefined),
      views: deep ? [...memory.views] : shards.map(() => undefined),
      claimed: shards.map(() => []),
      round: 0,
    };
    await settleEverywhere(turn, deep ? planRound(turn.views, claim, { deep, steps: memory.steps }) : []);
    if (isLost(turn)) {
      await endEverywhere(turn);
      sessions.forget(session);
      return lostAnswer(request, turn.answers);
    }
    if (end) sessions.forget(session);
    else if (countOf(turn) < (deep ? Math.ceil(claim / 2) : claim)) await claimUpTo(turn, claim);
    const more = claim > 0 && countOf(turn) >= claim && turn.views.some(mayServe);
    return mergeAnswers(request, turn.answers, mergeClaims(turn.claimed), more);
  };
}

/** What is told, or asked, may not be forgotten. */
function needsAnswer({ settle, extend, progress, lostCalls, end, begin }: ExchangeRequest): boolean {
  return settle.length + extend.length + progress.length + lostCalls.length > 0 || end || begin;
}

/** The session is over where it holds leases, or everywhere. */
function isLost({ answers, seats }: Turn): boolean {
  const lost = seats.filter((_, shard) => answers[shard]?.session === 'lost');
  return lost.some(({ held }) => held > 0) || !answers.some((answer) => answer?.session === 'open');
}

/** The queue could run more than it does. */
function hasUnused(views: readonly (ShardView | undefined)[]): boolean {
  const known = views.filter((view) => view !== undefined);
  const leased = known.reduce((sum, view) => sum + view.leased, 0);
  const tokens = known.reduce((sum, view) => sum + Math.max(0, view.tokens), 0);
  const byRate = known.some(({ hold }) => hold === 'queue-rate');
  return byRate ? tokens >= 1 : leased < Math.min(...known.map(({ maxLeased }) => maxLeased));
}
