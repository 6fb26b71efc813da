import { type Clock, sleep, systemClock } from './clock.ts';
import { createContext } from './context.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { InvalidOptionError, RateLimitedError } from './errors.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import {
  compileLimit,
  costPerLimit,
  type Limit,
  type LimitMode,
  type LimitOptions,
  TableFactory,
} from './limit-table.ts';
import { memoryStore } from './memory.ts';
import type { CallContext, CallInit, Cost, Policy } from './policy.ts';
import type { DebitDecision, RateState, RateTable, Store } from './store.ts';
import { type WaitingCall, WaitingLine } from './waiting-line.ts';

/** Options of {@link rateLimit}. */
export interface RateLimitOptions {
  /** The limits; a call passes all of them or waits for all of them. */
  readonly limits: readonly LimitOptions[];
  /** How limits are kept unless they say otherwise. @default 'strict' */
  readonly mode?: LimitMode;
  /** Where the state lives. @default memoryStore(), this process only */
  readonly store?: Pick<Store, 'name' | 'rates'>;
  /** Longest wait for a slot; 0 refuses whatever cannot go at once. @default '30s' */
  readonly maxWait?: Duration;
  /** The account a call belongs to. @default (ctx) => ctx.key */
  readonly key?: string | ((ctx: CallContext) => string);
  /** Priority classes and their guaranteed share of every limit, summing to 1; a class may use what others leave free. @default one class */
  readonly priorities?: Readonly<Record<string, number>>;
  /** Class of a call that names none. @default the last of `priorities` */
  readonly defaultPriority?: string;
  /** Name in errors and metrics. @default 'rateLimit' */
  readonly name?: string;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** A slot that was taken. Settle it when the actual cost is known. */
export interface Ticket {
  /** Milliseconds that were waited. */
  readonly waited: number;
  /** Corrects the reservation by the actual cost; dimensions that are absent stay as reserved. Only the first call counts. */
  settle(usage: Cost): void;
  /** Gives everything back: the call was not made. */
  release(): void;
}

/** What a limiter can tell about itself. */
export interface RateLimitStats {
  /** Calls waiting in this process. */
  readonly waiting: number;
  /** Units left now, by limit name. */
  readonly remaining: Readonly<Record<string, number>>;
  /** Milliseconds that the account still pauses after a 429. */
  readonly pausedFor: number;
  /** Share of the configured rate in use. */
  readonly factor: number;
}

/** The policy made by {@link rateLimit}, also usable by hand. */
export interface RateLimit extends Policy {
  /** Takes a slot, waiting for it if need be. @throws RateLimitedError when the wait would be longer than `maxWait` */
  acquire(init?: CallInit | CallContext): Promise<Ticket>;
  /** Takes a slot only if it is free now. */
  tryAcquire(init?: CallInit | CallContext): Promise<Ticket | undefined>;
  /** Who waits in this process, for which limit, and how long still. */
  line(): WaitingCall[];
  /** State of the account that `init` belongs to. */
  stats(init?: CallInit): Promise<RateLimitStats>;
}

/**
 * Keeps calls within a vector of limits. Waiting means taking a future slot and sleeping once, in the order of arrival;
 * an aborted wait gives its slot back.
 *
 * @example
 * ```ts
 * const limit = rateLimit({
 *   limits: [
 *     { limit: 1_000, per: '1m' },
 *     { limit: 80_000, per: '1m', dimension: 'output' },
 *   ],
 * });
 * const call = wrap(limit);
 * ```
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  const limiter = new Limiter(options);
  const policy: Policy = (next, ctx) => limiter.run(next, ctx);
  return Object.assign(policy, {
    acquire: (init?: CallInit | CallContext) => limiter.acquire(asContext(init), limiter.maxWait),
    tryAcquire: (init?: CallInit | CallContext) => limiter.tryAcquire(asContext(init)),
    line: () => limiter.line.list(),
    stats: (init?: CallInit) => limiter.stats(createContext(init)),
  });
}

function asContext(init: CallInit | CallContext = {}): CallContext {
  return 'derive' in init ? init : createContext(init);
}

class Limiter {
  readonly line: WaitingLine;
  readonly maxWait: number;
  readonly #name: string;
  readonly #limits: readonly Limit[];
  readonly #tables: TableFactory;
  readonly #classes: ReadonlyMap<string, number>;
  readonly #shares: readonly number[];
  readonly #defaultShare: number;
  readonly #store: Pick<Store, 'name' | 'rates'>;
  readonly #key: (ctx: CallContext) => string;
  readonly #clock: Clock;
  readonly #instrumentation: RateLimitInstrumentation | undefined;

  constructor(options: RateLimitOptions) {
    const { limits, mode = 'strict', clock = systemClock, name = 'rateLimit', key } = options;
    if (limits.length === 0) throw new InvalidOptionError('Expected `limits` to hold at least one limit.');
    this.#name = name;
    this.#limits = limits.map((limit) => compileLimit(limit, mode));
    this.#shares = options.priorities === undefined ? [1] : sharesOf(options.priorities);
    this.#classes = new Map(Object.keys(options.priorities ?? {}).map((title, i) => [title, i]));
    this.#defaultShare = this.#shareOf(options.defaultPriority, this.#shares.length - 1);
    this.#tables = new TableFactory(this.#limits, this.#shares, 0);
    this.#store = options.store ?? memoryStore({ clock });
    this.maxWait = toMilliseconds(options.maxWait ?? '30s', 'maxWait');
    this.#key = typeof key === 'function' ? key : key === undefined ? (ctx) => ctx.key : () => key;
    this.#clock = clock;
    this.#instrumentation = options.instrumentation;
    this.line = new WaitingLine(clock);
  }

  async run<T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    const ticket = await this.acquire(ctx, this.maxWait);
    return next(ctx.derive({ onSettle: ticket.settle }));
  }

  async acquire(ctx: CallContext, maxWait: number): Promise<Ticket> {
    const share = this.#shareOf(ctx.priority, this.#defaultShare);
    const cost = costPerLimit(this.#limits, ctx.cost, this.#shares[share] ?? 1);
    const table = this.#tables.tableFor(this.#key(ctx), ctx);
    const patience = Math.min(maxWait, this.#timeLeft(ctx));
    const decided = this.#store.rates.debit(table, [{ cost, maxWait: patience, share, copies: 1 }]);
    const [decision] = decided instanceof Promise ? await decided : decided;
    if (decision === undefined || decision.granted === 0) throw this.#refuse(ctx, decision);
    this.#tell(ctx, decision);
    const ticket = new Slot(this.#store, table, this.#limits, cost, decision);
    if (decision.wait > 0) await this.#wait(ctx, ticket, decision);
    return ticket;
  }

  async tryAcquire(ctx: CallContext): Promise<Ticket | undefined> {
    try {
      return await this.acquire(ctx, 0);
    } catch (error) {
      if (error instanceof RateLimitedError) return undefined;
      throw error;
    }
  }

  async stats(ctx: CallContext): Promise<RateLimitStats> {
    const state: RateState = await this.#store.rates.read(this.#tables.tableFor(this.#key(ctx), ctx));
    const remaining = Object.fromEntries(this.#limits.map((limit, i) => [limit.name, state.remaining[i] ?? 0]));
    return { waiting: this.line.size, remaining, pausedFor: state.pausedFor, factor: state.factor };
  }

  async #wait(ctx: CallContext, ticket: Slot, decision: DebitDecision): Promise<void> {
    const place = this.line.enter(ctx, this.#nameOf(decision.limitedBy), decision.wait);
    try {
      await sleep(this.#clock, Math.ceil(decision.wait), ctx.signal);
    } catch (error) {
      ticket.release();
      throw error;
    } finally {
      this.line.leave(place);
    }
  }

  #refuse(ctx: CallContext, decision: DebitDecision | undefined): RateLimitedError {
    const error = new RateLimitedError(this.#nameOf(decision?.limitedBy ?? -1), decision?.wait ?? 0);
    this.#instrumentation?.onRefused?.({
      policy: this.#name,
      key: ctx.key,
      tenant: ctx.tenant,
      code: error.code,
      reason: error.limit,
      retryAfterMs: error.retryAfter,
    });
    return error;
  }

  #tell(ctx: CallContext, { wait, limitedBy }: DebitDecision): void {
    this.#instrumentation?.onAdmitted?.({
      policy: this.#name,
      key: ctx.key,
      waitMs: [wait],
      limitedBy: [wait > 0 ? this.#nameOf(limitedBy) : undefined],
    });
  }

  #nameOf(index: number): string {
    return index === -2 ? 'pause' : (this.#limits[index]?.name ?? this.#name);
  }

  #timeLeft({ deadline }: CallContext): number {
    return deadline === undefined ? Number.POSITIVE_INFINITY : Math.max(0, deadline - this.#clock.monotonic());
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

/** A debit with what is needed to correct it. */
class Slot implements Ticket {
  readonly #store: Pick<Store, 'rates'>;
  readonly #table: RateTable;
  readonly #limits: readonly Limit[];
  readonly #cost: readonly number[];
  readonly #decision: DebitDecision;
  #settled = false;

  constructor(
    store: Pick<Store, 'rates'>,
    table: RateTable,
    limits: readonly Limit[],
    cost: readonly number[],
    decision: DebitDecision,
  ) {
    this.#store = store;
    this.#table = table;
    this.#limits = limits;
    this.#cost = cost;
    this.#decision = decision;
  }

  get waited(): number {
    return this.#decision.wait;
  }

  /** Bound, because it is handed to the call's context. */
  readonly settle = (usage: Cost): void => {
    this.#adjust(
      this.#limits.map(({ dimension }, i) => {
        const actual = usage[dimension];
        return actual === undefined ? 0 : Math.ceil(actual) - (this.#cost[i] ?? 0);
      }),
    );
  };

  release(): void {
    this.#adjust(this.#cost.map((units) => -units));
  }

  #adjust(delta: readonly number[]): void {
    if (this.#settled) return;
    this.#settled = true;
    if (delta.every((units) => units === 0)) return;
    const { at, share } = this.#decision;
    const done = this.#store.rates.adjust(this.#table, [{ delta, at, share }]);
    // A correction that is lost with the store errs on the safe side: the reservation stays booked.
    if (done instanceof Promise) done.catch(() => {});
  }
}
