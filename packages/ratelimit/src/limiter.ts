import { type Clock, sleep, systemClock } from './clock.ts';
import { noCost } from './context.ts';
import { DebitChannel } from './debit-channel.ts';
import { toMilliseconds } from './duration.ts';
import { InvalidOptionError, RateLimitedError, StoreUnavailableError } from './errors.ts';
import { FleetShare } from './fleet-share.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import { type CallTable, compileLimit, costPerLimit, type Limit, TableFactory } from './limit-table.ts';
import { memoryStore } from './memory.ts';
import type { CallContext } from './policy.ts';
import { Presence } from './presence.ts';
import type { LimitGate, RateLimitOptions, RateLimitStats, Ticket } from './rate-limit.ts';
import { Slot, type SlotOwner } from './slot.ts';
import {
  type DebitDecision,
  type DebitRequest,
  type MaybePromise,
  type RateState,
  type RateStore,
  usualWaitMs,
} from './store.ts';
import { type OnStoreDown, StoreGate } from './store-gate.ts';
import { Throttle } from './throttle.ts';
import { WaitingLine } from './waiting-line.ts';

interface Wish {
  readonly ctx: CallContext;
  readonly table: CallTable;
  readonly cost: readonly number[];
  readonly giveUpAt: number;
}

const unlimited = { granted: 1, wait: 0, at: 0, limitedBy: -1, share: 0, pausedFor: 0 } satisfies DebitDecision;

/** The part of a burst, for usage that is known only afterwards, that is kept free: others may use the quota as well. */
const reserveShare = 0.1;

/** The engine behind `rateLimit`: decides, waits, keeps the line, and falls back when the store is down. */
export class Limiter {
  readonly line: WaitingLine;
  readonly maxWait: number;
  readonly throttle: Throttle;
  readonly #name: string;
  readonly #limits: readonly Limit[];
  readonly #tables: TableFactory;
  readonly #classes: ReadonlyMap<string, number>;
  readonly #shares: readonly number[];
  readonly #defaultShare: number;
  readonly #rates: RateStore;
  readonly #channel: DebitChannel;
  readonly #presence: Presence;
  readonly #fleet: FleetShare;
  readonly #onStoreDown: OnStoreDown;
  readonly #key: (ctx: CallContext) => string;
  readonly #clock: Clock;
  readonly #instrumentation: RateLimitInstrumentation | undefined;
  readonly #slots: SlotOwner;
  /** What a call costs that states nothing; undefined where that is learned from call to call. */
  readonly #plainCost: readonly number[] | undefined;

  constructor(options: RateLimitOptions) {
    const { limits, mode = 'strict', clock = systemClock, name = 'rateLimit', key, instrumentation } = options;
    if (limits.length === 0) throw new InvalidOptionError('Expected `limits` to hold at least one limit.');
    this.#name = name;
    this.#clock = clock;
    this.#instrumentation = instrumentation;
    this.#limits = limits.map((limit) => compileLimit(limit, mode));
    this.#shares = options.priorities === undefined ? [1] : sharesOf(options.priorities);
    this.#classes = new Map(Object.keys(options.priorities ?? {}).map((title, i) => [title, i]));
    this.#defaultShare = this.#shareOf(options.defaultPriority, this.#shares.length - 1);
    this.maxWait = toMilliseconds(options.maxWait ?? usualWaitMs, 'maxWait');
    this.#key = typeof key === 'function' ? key : key === undefined ? (ctx) => ctx.key : () => key;
    this.#onStoreDown = options.onStoreDown ?? 'share';
    this.line = new WaitingLine(clock);
    const store = options.store ?? memoryStore({ clock });
    const timeoutMs = toMilliseconds(options.storeTimeout ?? 50, 'storeTimeout');
    const gate = new StoreGate({ store: store.name, timeoutMs, clock, instrumentation });
    this.#rates = store.rates;
    this.#channel = new DebitChannel({
      rates: store.rates,
      gate,
      clock,
      batching: options.batch ?? (store.capabilities?.shared === true || options.lease !== undefined),
      lease: options.lease && { max: options.lease.max, ttlMs: toMilliseconds(options.lease.ttl ?? 100, 'lease.ttl') },
      refusesLate: this.#onStoreDown === 'closed',
    });
    this.#presence = new Presence(clock, store.peers, `rates/${name}`);
    this.#fleet = new FleetShare(clock, this.#presence);
    this.throttle = new Throttle({
      rates: store.rates,
      clock,
      policy: name,
      adaptive: options.adaptive,
      instrumentation,
    });
    this.#tables = new TableFactory(this.#limits, this.#shares, this.throttle.recovery);
    const learns = this.#limits.some(({ estimate }) => estimate !== undefined);
    this.#slots = { policy: name, rates: store.rates, limits: this.#limits, learns, instrumentation };
    this.#plainCost = learns ? undefined : this.#limits.map(({ dimension }) => (dimension === 'requests' ? 1 : 0));
  }

  tableFor(ctx: CallContext): CallTable {
    return this.#tables.tableFor(this.#key(ctx), ctx);
  }

  /**
   * Takes a slot and sleeps until it has come.
   *
   * @throws RateLimitedError when the wait would be longer than `maxWait`, the deadline of the call included
   */
  acquire(ctx: CallContext, maxWait: number): MaybePromise<Ticket> {
    const share = this.#shareOf(ctx.priority, this.#defaultShare);
    const table = this.tableFor(ctx);
    const cost = this.#costOf(ctx, share);
    const now = this.#clock.monotonic();
    const giveUpAt = Math.min(now + maxWait, ctx.deadline ?? Number.POSITIVE_INFINITY);
    if (ctx.aborted) throw ctx.signal.reason;
    const request = {
      cost,
      maxWait: giveUpAt === now + maxWait ? maxWait : Math.max(0, giveUpAt - now),
      share,
      copies: 1,
    };
    const decided = this.#decide(table, request);
    if (decided instanceof Promise || decided.wait > 0 || decided.granted === 0) {
      return this.#take({ ctx, table, cost, giveUpAt }, request, decided);
    }
    return this.#admit(ctx, new Slot(this.#slots, table, cost, decided, ctx), decided);
  }

  /**
   * The slot is in the future, or asked for elsewhere. A pause that comes up meanwhile makes the sleeper take another one;
   * a caller that gives up meanwhile gives it back.
   */
  async #take(wish: Wish, first: DebitRequest, asked: MaybePromise<DebitDecision>): Promise<Ticket> {
    const { ctx, table, cost, giveUpAt } = wish;
    let request = first;
    let answer = asked;
    for (;;) {
      let decision: DebitDecision;
      try {
        decision = await answer;
      } catch (error) {
        decision = this.#standIn(table, request, error);
      }
      if (decision.pausedFor > 0) this.throttle.learnPause(table, decision.pausedFor);
      if (decision.granted === 0) throw this.#refuse(ctx, decision);
      const slot = new Slot(this.#slots, table, cost, decision, ctx);
      if (decision.wait > 0) await this.#wait(ctx, slot, decision);
      else if (ctx.aborted) throw this.#giveUp(slot, ctx);
      if (decision.wait === 0 || !this.throttle.isPaused(table)) return this.#admit(ctx, slot, decision);
      slot.release();
      request = { ...first, maxWait: Math.max(0, giveUpAt - this.#clock.monotonic()) };
      answer = this.#decide(table, request);
    }
  }

  #giveUp(slot: Slot, ctx: CallContext): unknown {
    slot.release();
    return ctx.signal.reason;
  }

  #costOf(ctx: CallContext, share: number): readonly number[] {
    if (this.#plainCost !== undefined && ctx.cost === noCost) return this.#plainCost;
    return costPerLimit(this.#limits, ctx, this.#shares[share] ?? 1);
  }

  /** Everything about a caller that does not change from call to call, worked out once. */
  gate(ctx: CallContext): LimitGate {
    const share = this.#shareOf(ctx.priority, this.#defaultShare);
    const table = this.tableFor(ctx);
    const requests = [{ cost: this.#costOf(ctx, share), maxWait: 0, share, copies: 1 }];
    return {
      take: () => {
        const decided = this.#rates.debit(table, requests);
        return decided instanceof Promise ? decided.then(([only]) => only?.granted === 1) : decided[0]?.granted === 1;
      },
    };
  }

  async stats(ctx: CallContext): Promise<RateLimitStats> {
    const state: RateState = await this.#rates.read(this.tableFor(ctx));
    const remaining = Object.fromEntries(this.#limits.map(({ name }, i) => [name, state.remaining[i] ?? 0]));
    return { waiting: this.line.size, remaining, pausedFor: state.pausedFor, factor: state.factor };
  }

  /** Feeds what a provider reported back into the shared state, by limit name, less what it does not know of yet: usage of calls in flight. */
  async report(ctx: CallContext, remaining: Readonly<Record<string, number>>): Promise<void> {
    const table = this.tableFor(ctx);
    let refill = 0;
    const left = this.#limits.map(({ name, burst, interval, estimate }, i) => {
      const reported = remaining[name];
      if (reported === undefined) return undefined;
      // The other processes have about as much in flight as we have.
      const units = Math.floor(reported - (table.inFlight[i] ?? 0) * this.#presence.count);
      if (estimate !== undefined) refill = Math.max(refill, (burst * reserveShare - units) * (interval / 1000));
      return units < burst ? units : undefined;
    });
    if (left.some((units) => units !== undefined)) await this.#rates.correct(table, left);
    // Slots that are taken already come too soon then: a pause makes their holders take new ones.
    if (refill > 0) await this.throttle.hit(table, refill, false);
  }

  #decide(table: CallTable, request: DebitRequest): MaybePromise<DebitDecision> {
    this.#presence.beat();
    return this.#channel.debit(table, request);
  }

  /** The decision that stands in for the store's while that is down. */
  #standIn(table: CallTable, request: DebitRequest, error: unknown): DebitDecision {
    if (!(error instanceof StoreUnavailableError) || this.#onStoreDown === 'closed') throw error;
    return this.#onStoreDown === 'open' ? unlimited : this.#fleet.debit(table, request);
  }

  async #wait(ctx: CallContext, slot: Slot, decision: DebitDecision): Promise<void> {
    const place = this.line.enter(ctx, this.#nameOf(decision.limitedBy), decision.wait);
    try {
      await sleep(this.#clock, Math.ceil(decision.wait), ctx);
    } catch (error) {
      slot.release();
      throw error;
    } finally {
      this.line.leave(place);
    }
  }

  #admit(ctx: CallContext, slot: Slot, { wait, limitedBy }: DebitDecision): Slot {
    this.#instrumentation?.onAdmitted?.({
      policy: this.#name,
      key: ctx.key,
      waitMs: [wait],
      limitedBy: [wait > 0 ? this.#nameOf(limitedBy) : undefined],
    });
    slot.begin();
    return slot;
  }

  #refuse(ctx: CallContext, { limitedBy, wait }: DebitDecision): RateLimitedError {
    const error = new RateLimitedError(this.#nameOf(limitedBy), wait);
    this.#instrumentation?.onRefused?.({
      policy: this.#name,
      key: ctx.key,
      tenant: ctx.tenant,
      code: error.code,
      reason: error.limit,
      retryAfterMs: wait,
    });
    return error;
  }

  #nameOf(index: number): string {
    return index === -2 ? 'pause' : (this.#limits[index]?.name ?? this.#name);
  }

  #shareOf(priority: string | undefined, fallback: number): number {
    if (priority === undefined || this.#classes.size === 0) return fallback;
    const share = this.#classes.get(priority);
    if (share !== undefined) return share;
    throw new InvalidOptionError(`Unknown priority "${priority}": use one of ${[...this.#classes.keys()].join(', ')}.`);
  }
}

function sharesOf(priorities: Readonly<Record<string, number>>): number[] {
  const shares = Object.values(priorities);
  const sum = shares.reduce((total, share) => total + share, 0);
  if (shares.some((share) => !(share > 0)) || Math.abs(sum - 1) > 1e-9) {
    throw new InvalidOptionError(`Expected \`priorities\` to be shares above 0 that sum to 1, got a sum of ${sum}.`);
  }
  return shares;
}
