import { type Clock, systemClock } from './clock.ts';
import { asContext, createContext } from './context.ts';
import type { Duration } from './duration.ts';
import { isRefusal } from './error-shape.ts';
import { RateLimitedError } from './errors.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { LimitMode, LimitOptions } from './limit-table.ts';
import { Limiter } from './limiter.ts';
import type { CallContext, CallInit, Cost, Policy } from './policy.ts';
import { retryAfterOf } from './retry-after.ts';
import type { MaybePromise, Store } from './store.ts';
import type { OnStoreDown } from './store-gate.ts';
import type { AdaptiveOptions } from './throttle.ts';
import type { WaitingCall } from './waiting-line.ts';

/** The parts of a store that {@link rateLimit} uses; `peers` only to divide the limit while the store is down. */
export type RateLimitStore = Pick<Store, 'name' | 'rates'> & Partial<Pick<Store, 'peers' | 'capabilities'>>;

/** Options of {@link rateLimit}. */
export interface RateLimitOptions {
  /** The limits; a call passes all of them or waits for all of them. */
  readonly limits: readonly LimitOptions[];
  /** How limits are kept unless they say otherwise. @default 'strict' */
  readonly mode?: LimitMode;
  /** Where the state lives. @default memoryStore(), this process only */
  readonly store?: RateLimitStore;
  /** Longest wait for a slot; 0 refuses whatever cannot go at once. @default '30s' */
  readonly maxWait?: Duration;
  /** The account a call belongs to. @default (ctx) => ctx.key */
  readonly key?: string | ((ctx: CallContext) => string);
  /** Priority classes and their guaranteed share of every limit, summing to 1; a class may use what others leave free. @default one class */
  readonly priorities?: Readonly<Record<string, number>>;
  /** Class of a call that names none. @default the last of `priorities` */
  readonly defaultPriority?: string;
  /** Recognises "slow down" (429) in a failed call: milliseconds to pause for everybody, undefined for other failures. @default {@link throttledFor} */
  readonly throttled?: (error: unknown) => number | undefined;
  /** Slows the rate down after a 429 and speeds it up again slowly. @default false */
  readonly adaptive?: AdaptiveOptions | boolean;
  /** Sends the requests of one tick to the store together. @default true for shared stores */
  readonly batch?: boolean;
  /**
   * Takes up to `max` calls of a hot key ahead, for `ttl`; they are then decided without asking the store. Such calls are debited when they are taken,
   * so no window of length W admits more than the limit allows in W + ttl. @default none
   */
  readonly lease?: { readonly max: number; readonly ttl?: Duration };
  /** While the store is down: `share` uses limit / live processes locally, `open` admits everything, `closed` refuses. @default 'share' */
  readonly onStoreDown?: OnStoreDown;
  /** Time after which an unanswered store counts as down. @default 50 */
  readonly storeTimeout?: Duration;
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
  /** The call has ended; its reservation stays as it is unless it is settled later (a stream that is still read). */
  forget(): void;
}

/** A check for one fixed caller, for hot loops. */
export interface LimitGate {
  /** Takes a slot if it is free now. Answers at once with a store in this process. */
  take(): MaybePromise<boolean>;
}

/** What a limiter can tell about itself. */
export interface RateLimitStats {
  /** Calls waiting in this process. */
  readonly waiting: number;
  /** Units left now, by limit name; negative while future slots are taken. */
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
  /** Prepares the check of a caller whose key, scopes and cost do not change: with the memory store a check then costs a fraction of a microsecond. */
  gate(init?: CallInit): LimitGate;
  /** Stops the account for `pause` milliseconds in every process: the provider said so. */
  throttle(init: CallInit | CallContext, pause: number): Promise<void>;
  /** Stops the account for `pause` milliseconds in every process, without slowing it down after: its quota is used up until then. */
  pause(init: CallInit | CallContext, pause: number): Promise<void>;
  /** Lowers what is left, by limit name, to what the provider reported. */
  report(init: CallInit | CallContext, remaining: Readonly<Record<string, number>>): Promise<void>;
  /** Who waits in this process, for which limit, and how long still. */
  line(): WaitingCall[];
  /** State of the account that `init` belongs to. */
  stats(init?: CallInit): Promise<RateLimitStats>;
}

/**
 * Keeps calls within a vector of limits. Waiting means taking a future slot and sleeping once, in the order of arrival;
 * an aborted wait gives its slot back. A 429 of the called function pauses everybody who shares the account.
 *
 * @example
 * ```ts
 * const limit = rateLimit({
 *   limits: [
 *     { limit: 1_000, per: '1m' },
 *     { limit: 80_000, per: '1m', dimension: 'output', estimate: learnedEstimate() },
 *   ],
 * });
 * const call = wrap(limit);
 * ```
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  const limiter = new Limiter(options);
  const pauseOf = options.throttled ?? ((error) => throttledFor(error, options.clock));
  const policy: Policy = async (next, ctx) => {
    const acquired = limiter.acquire(ctx, limiter.maxWait);
    const ticket = acquired instanceof Promise ? await acquired : acquired;
    try {
      return await next(ctx.derive({ onSettle: (usage) => ticket.settle(usage) }));
    } catch (error) {
      // Refused further inside: the call was not made, its slot serves somebody else.
      if (isRefusal(error)) ticket.release();
      const pause = pauseOf(error);
      if (pause !== undefined) await limiter.throttle.hit(limiter.tableFor(ctx), pause);
      throw error;
    } finally {
      ticket.forget();
    }
  };
  return Object.assign(policy, {
    acquire: (init?: CallInit | CallContext) => acquire(limiter, asContext(init)),
    tryAcquire: (init?: CallInit | CallContext) => tryAcquire(limiter, asContext(init)),
    gate: (init?: CallInit) => limiter.gate(createContext(init)),
    throttle: (init: CallInit | CallContext, pause: number) =>
      limiter.throttle.hit(limiter.tableFor(asContext(init)), pause),
    pause: (init: CallInit | CallContext, pause: number) =>
      limiter.throttle.hit(limiter.tableFor(asContext(init)), pause, false),
    report: (init: CallInit | CallContext, remaining: Readonly<Record<string, number>>) =>
      limiter.report(asContext(init), remaining),
    line: () => limiter.line.list(),
    stats: (init?: CallInit) => limiter.stats(createContext(init)),
  });
}

/** Not an async function: that would cost three more turns of the event loop's queue per call. */
function acquire(limiter: Limiter, ctx: CallContext): Promise<Ticket> {
  try {
    return Promise.resolve(limiter.acquire(ctx, limiter.maxWait));
  } catch (error) {
    return Promise.reject(error);
  }
}

async function tryAcquire(limiter: Limiter, ctx: CallContext): Promise<Ticket | undefined> {
  try {
    return await limiter.acquire(ctx, 0);
  } catch (error) {
    if (error instanceof RateLimitedError) return undefined;
    throw error;
  }
}

/** The pause after a 429 that does not say how long to wait. */
const defaultPauseMs = 1_000;

/** How long an error with HTTP status 429 asks everybody to wait, in milliseconds; undefined for any other error. */
export function throttledFor(error: unknown, clock: Clock = systemClock): number | undefined {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return status === 429 ? (retryAfterOf(error, clock.now()) ?? defaultPauseMs) : undefined;
}
