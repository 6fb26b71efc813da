import { type AdaptiveConcurrencyOptions, AdaptiveLimit } from './adaptive-limit.ts';
import { type Clock, systemClock } from './clock.ts';
import { asContext } from './context.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { BulkheadFullError, InvalidOptionError, StoreUnavailableError } from './errors.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import { LocalSemaphore, type Permit, type PermitDemand, type Semaphore } from './local-semaphore.ts';
import type { CallContext, CallInit, Policy } from './policy.ts';
import { Presence } from './presence.ts';
import { SharedSemaphore } from './shared-semaphore.ts';
import type { MaybePromise, Store } from './store.ts';
import { type OnStoreDown, StoreGate } from './store-gate.ts';
import { type WaitingCall, WaitingLine } from './waiting-line.ts';

/** Options of {@link bulkhead}. */
export interface BulkheadOptions {
  /** Calls that may run at once, per key; over all processes when there is a store. */
  readonly limit: number;
  /** Where permits live. @default this process only */
  readonly store?: Pick<Store, 'name' | 'permits'> & Partial<Pick<Store, 'peers'>>;
  /** What has its own permits. @default (ctx) => ctx.key */
  readonly key?: (ctx: CallContext) => string;
  /** A tenant's share of the line: with weight 2 it gets twice the permits of one with weight 1 while both wait. @default 1 */
  readonly weight?: (ctx: CallContext) => number;
  /** Calls of this process that may wait per key. @default 10_000 */
  readonly maxWaiting?: number;
  /** Longest wait for a permit. @default '30s' */
  readonly maxWait?: Duration;
  /** How long the permit of a process that died stays taken; live ones are renewed. @default '15s' */
  readonly lease?: Duration;
  /** Aborts the call when its permit's lease was lost; without it the call goes on, above the limit for once. @default false */
  readonly abortOnLost?: boolean;
  /** Lets the limit follow the latency, between `min` and `limit`. @default none */
  readonly adaptive?: AdaptiveConcurrencyOptions;
  /** While the store is down: `share` uses permits of this process (limit / `fleet`), `open` admits, `closed` refuses. @default 'share' */
  readonly onStoreDown?: OnStoreDown;
  /** Processes that share the limit, for `onStoreDown: 'share'`. @default those that the store has last seen alive */
  readonly fleet?: number;
  /** Time after which an unanswered store counts as down. @default 50 */
  readonly storeTimeout?: Duration;
  /** Keys after which idle ones are forgotten. @default 10_000 */
  readonly maxKeys?: number;
  /** @default 'bulkhead' */
  readonly name?: string;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** The policy made by {@link bulkhead}, also usable by hand. */
export interface Bulkhead extends Policy {
  /** Waits for a permit. @throws BulkheadFullError when the line is full or the wait too long */
  acquire(init?: CallInit | CallContext): Promise<Permit>;
  /** Who waits in this process. */
  line(): WaitingCall[];
  /** Occupancy of a key in this process. */
  stats(key?: string): { readonly held: number; readonly waiting: number; readonly limit: number };
}

/**
 * Bounds how many calls run at once, with a fair line. With a store the permits are shared by all processes; a permit carries a fence
 * and comes back by itself when its process dies.
 *
 * @example
 * ```ts
 * const call = wrap(bulkhead({ limit: 20, key: (ctx) => ctx.tenant ?? 'shared' }));
 * ```
 */
export function bulkhead(options: BulkheadOptions): Bulkhead {
  const engine = new BulkheadEngine(options);
  const policy: Policy = (next, ctx) => engine.run(next, ctx);
  return Object.assign(policy, {
    acquire: async (init?: CallInit | CallContext) => engine.acquire(asContext(init)),
    line: () => engine.line.list(),
    stats: (key = 'default') => engine.stats(key),
  });
}

class BulkheadEngine {
  readonly line: WaitingLine;
  readonly #options: BulkheadOptions;
  readonly #clock: Clock;
  readonly #key: (ctx: CallContext) => string;
  readonly #maxWait: number;
  readonly #semaphores: Map<string, Semaphore> = new Map();
  readonly #adaptive: AdaptiveLimit | undefined;
  readonly #gate: StoreGate | undefined;
  readonly #leaseMs: number;
  readonly #presence: Presence;
  #holdMs = 0;

  constructor(options: BulkheadOptions) {
    const { limit, clock = systemClock, store, name = 'bulkhead' } = options;
    if (!(limit >= 1)) throw new InvalidOptionError(`Expected \`limit\` to be a number from 1 up, got ${limit}.`);
    this.#options = options;
    this.#clock = clock;
    this.#key = options.key ?? ((ctx) => ctx.key);
    this.#maxWait = toMilliseconds(options.maxWait ?? '30s', 'maxWait');
    this.#leaseMs = toMilliseconds(options.lease ?? '15s', 'lease');
    this.line = new WaitingLine(clock);
    this.#presence = new Presence(clock, store?.peers, `permits/${name}`);
    this.#adaptive = options.adaptive === undefined ? undefined : new AdaptiveLimit(limit, options.adaptive);
    const timeoutMs = toMilliseconds(options.storeTimeout ?? 50, 'storeTimeout');
    const { instrumentation } = options;
    this.#gate = store && new StoreGate({ store: store.name, timeoutMs, clock, instrumentation });
  }

  stats(key: string): { held: number; waiting: number; limit: number } {
    const semaphore = this.#semaphores.get(key);
    return { held: semaphore?.held ?? 0, waiting: semaphore?.waiting ?? 0, limit: this.#limit() };
  }

  async run<T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    const acquired = this.acquire(ctx);
    const permit = acquired instanceof Promise ? await acquired : acquired;
    const startedAt = this.#clock.monotonic();
    const inFlight = this.#semaphores.get(this.#key(ctx))?.held ?? 1;
    try {
      return await this.#guarded(permit, next, ctx);
    } finally {
      permit.release();
      const took = this.#clock.monotonic() - startedAt;
      this.#holdMs += (took - this.#holdMs) / 16;
      this.#adaptive?.sample(took, inFlight);
      this.#tell(ctx);
    }
  }

  acquire(ctx: CallContext): MaybePromise<Permit> {
    const key = this.#key(ctx);
    const semaphore = this.#semaphore(key);
    this.#presence.beat();
    const { maxWaiting = 10_000, weight } = this.#options;
    if (semaphore.waiting >= maxWaiting) throw this.#full(key, ctx, semaphore);
    const acquired = semaphore.acquire({
      ctx,
      weight: weight?.(ctx) ?? 1,
      patience: Math.min(
        this.#maxWait,
        ctx.deadline === undefined ? this.#maxWait : ctx.deadline - this.#clock.monotonic(),
      ),
      expired: () => this.#full(key, ctx, semaphore),
    });
    this.#tell(ctx);
    return acquired;
  }

  #guarded<T>(permit: Permit, next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    if (permit.lost === undefined || this.#options.abortOnLost !== true) return next(ctx);
    return next(ctx.derive({ signal: AbortSignal.any([ctx.signal, permit.lost]) }));
  }

  #semaphore(key: string): Semaphore {
    const known = this.#semaphores.get(key);
    if (known !== undefined) return known;
    if (this.#semaphores.size >= (this.#options.maxKeys ?? 10_000)) this.#forgetIdle();
    const semaphore = this.#create(key);
    this.#semaphores.set(key, semaphore);
    return semaphore;
  }

  #forgetIdle(): void {
    for (const [key, { held, waiting }] of this.#semaphores) if (held + waiting === 0) this.#semaphores.delete(key);
  }

  #create(key: string): Semaphore {
    const { store, name = 'bulkhead' } = this.#options;
    const gate = this.#gate;
    if (store === undefined || gate === undefined) return new LocalSemaphore(this.#limit, this.#clock, this.line);
    const local = new LocalSemaphore(this.#fleetShare, this.#clock, this.line);
    return new SharedSemaphore({
      key: `${name}/${key}`,
      limit: this.#limit,
      permits: store.permits,
      gate,
      clock: this.#clock,
      leaseMs: this.#leaseMs,
      withoutStore: (demand, error) => this.#withoutStore(local, demand, error),
      line: this.line,
    });
  }

  #withoutStore(local: LocalSemaphore, demand: PermitDemand, error: unknown): MaybePromise<Permit> {
    const { onStoreDown = 'share' } = this.#options;
    if (!(error instanceof StoreUnavailableError) || onStoreDown === 'closed') throw error;
    return onStoreDown === 'share' ? local.acquire(demand) : { fence: 0, lost: undefined, release: () => {} };
  }

  readonly #limit = (): number => this.#adaptive?.current ?? this.#options.limit;

  readonly #fleetShare = (): number =>
    Math.max(1, Math.floor(this.#limit() / (this.#options.fleet ?? this.#presence.count)));

  #full(key: string, ctx: CallContext, semaphore: Semaphore): BulkheadFullError {
    const error = new BulkheadFullError(key, this.#limit(), semaphore.waiting, this.#holdMs);
    this.#options.instrumentation?.onRefused?.({
      policy: this.#options.name ?? 'bulkhead',
      key,
      tenant: ctx.tenant,
      code: error.code,
      reason: 'permit',
      retryAfterMs: error.retryAfter,
    });
    return error;
  }

  #tell(ctx: CallContext): void {
    if (this.#options.instrumentation?.onBulkhead === undefined) return;
    const key = this.#key(ctx);
    this.#options.instrumentation.onBulkhead({ policy: this.#options.name ?? 'bulkhead', key, ...this.stats(key) });
  }
}
