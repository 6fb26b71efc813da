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
/** Most calls that a shard which is down is told of when it is back: what older ones claimed ends with the session. */
const mostLost = 400;
/** Most of them that are told of for as long as the session lives. */
const mostLostBegins = 16;
/** Milliseconds after a division for use of what is unused. */
const divideSoon = 20;

/** What is known of the shards in this process. */
interface Memory {
  readonly views: (ShardView | undefined)[];
  readonly steps: (number | undefined)[];
  seenAt: number;
  /** Highest fence seen. */
  fence: number;
  /** Shards that did not answer when they were last asked. */
  readonly down: Set<number>;
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
    down: new Set(),
    dividedAt: Number.NEGATIVE_INFINITY,
  };

  /**
   * One call to one shard. One that does not answer is told of it later, and counts as having nothing.
   * @throws StoreUnavailableError when something of this session depends on the answer
   */
  async function ask(turn: Turn, shard: number, request: ExchangeRequest, portion: Portion | undefined): Promise<void> {
    const seat = turn.seats[shard] as Seat;
    const told = seat.lost;
    const { onlyClass = '', horizon = '' } = portion ?? {};
    const present = memory.seenAt > Number.NEGATIVE_INFINITY && portion !== undefined ? presentTime(turn.views) : '';
    const part = `${memory.fence},${turn.request.claim > 0 ? 1 : 0},${onlyClass},${horizon},${present}`;
    const begin = request.begin || !seat.begun;
    const whole = { ...request, begin, lostCalls: [...request.lostCalls, ...seat.lostBegins, ...told] };
    try {
      const { answer, view: text } = await (shards[shard] as Shard).exchange(whole, part);
      memory.down.delete(shard);
      if (told.length > 0) seat.lost = seat.lost.filter((call) => !told.includes(call));
      if (answer.session === 'lost') return void noteLost(turn, shard, answer);
      seat.begun = true;
      note(turn, shard, answer, readView(text));
    } catch (error) {
      memory.down.add(shard);
      seat.lost = [...seat.lost, ...request.lostCalls, request.call].slice(-mostLost);
      if (begin) seat.lostBegins = [...seat.lostBegins, request.call].slice(-mostLostBegins);
      turn.views[shard] = undefined;
      memory.views[shard] = undefined;
      if (turn.round === 0 && (needsAnswer(seat, request) || memory.down.size === shards.length)) throw error;
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
    const allDown = memory.down.size === shards.length;
    const tries = await Promise.allSettled(
      shards.map((_, shard) => {
        const portion = plan.find((one) => one.shard === shard);
        const call = request.call * callsPerExchange;
        const mine = { ...request, ...parts[shard], call, lostCalls, claim: portion?.claim ?? 0 };
        const asked = ask(turn, shard, mine, portion);
        // Nobody waits for a shard that is known to be down: it may take its client seconds to say so again.
        const isAwaited = allDown || !memory.down.has(shard) || needsAnswer(turn.seats[shard] as Seat, mine);
        return isAwaited ? asked : void asked.catch(() => undefined);
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

  /** Whether a part of the queue's limits may lie where it is not needed. */
  function shouldDivide({ views }: Turn): boolean {
    const since = monotonic() - memory.dividedAt;
    return (
      views.some(isStale) ||
      haveDifferentSettings(views) ||
      (views.some(isHeld) && since > (hasUnused(views) ? divideSoon : divideEvery))
    );
  }

  function divide(): Promise<unknown> {
    memory.dividedAt = monotonic();
    return shares.divide();
  }

  /** Answers whether there is something to claim now. */
  async function divideIfWorthwhile(turn: Turn): Promise<boolean> {
    if (turn.round >= callsPerExchange - 1 || !shouldDivide(turn)) return false;
    await divide();
    await claimRound(
      turn,
      turn.views.flatMap((view, shard) => (view === undefined ? [] : [{ shard, claim: 0 }])),
    );
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
    // Who has got all it wanted from one shard sees to it that the others have their turn.
    if (claim > 0 && shouldDivide(turn)) divide().catch(() => undefined);
    const more = claim > 0 && countOf(turn) >= claim && turn.views.some(mayServe);
    return mergeAnswers(request, turn.answers, mergeClaims(turn.claimed), more);
  };
}

/** The queue's limits keep the shard from running what it has. */
function isHeld(view: ShardView | undefined): boolean {
  return view !== undefined && view.ready > 0 && (view.hold === 'queue-concurrency' || view.hold === 'queue-rate');
}

/** Somebody stopped before all shards had new settings: a division tells them. */
function haveDifferentSettings(views: readonly (ShardView | undefined)[]): boolean {
  return new Set(views.flatMap((view) => view?.settingsVersion ?? [])).size > 1;
}

function isStale(view: ShardView | undefined): boolean {
  return view?.isStale === true;
}

/** What is told may not be forgotten, and leases must be renewed. */
function needsAnswer({ held }: Seat, { settle, extend, progress }: ExchangeRequest): boolean {
  return held + settle.length + extend.length + progress.length > 0;
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
