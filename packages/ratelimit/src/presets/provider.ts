import type { Budget, BudgetOptions } from '../budget.ts';
import type { CircuitBreaker, CircuitBreakerOptions } from '../circuit-breaker.ts';
import type { Clock } from '../clock.ts';
import type { Duration } from '../duration.ts';
import type { RateLimitInstrumentation } from '../instrumentation.ts';
import type { CallInit } from '../policy.ts';
import type { PriceTable } from '../prices.ts';
import type { RateLimitStats } from '../rate-limit.ts';
import type { ResponseCacheOptions } from '../response-cache.ts';
import type { RetryOptions } from '../retry.ts';
import type { Store } from '../store.ts';
import type { OnStoreDown } from '../store-gate.ts';
import type { AdaptiveOptions } from '../throttle.ts';
import type { WaitingCall } from '../waiting-line.ts';
import type { ProviderPreset } from './preset.ts';
import { ProviderEngine } from './provider-engine.ts';
import type { ProviderError } from './provider-error.ts';

/** The shape of `fetch` that SDKs accept. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What the response cache of a provider may be told. */
export interface ProviderCacheOptions
  extends Pick<ResponseCacheOptions, 'ttl' | 'staleWhileRevalidate' | 'staleIfError' | 'scope' | 'maxBytes'> {
  /** Which requests are answered from the cache. @default those with `temperature: 0` */
  readonly when?: (body: Readonly<Record<string, unknown>>) => boolean;
}

/** Options of {@link createProvider}. */
export interface ProviderOptions {
  /** The account, under which processes share their limits: one per API key or installation. @default the provider's name */
  readonly account?: string;
  /** Units per window by limit name, e.g. `{ requests: 1000, input: 2_000_000, output: 80_000 }`. @default learned from the provider's headers */
  readonly limits?: Readonly<Record<string, number>>;
  /** Shares limits, breaker, cache and budget between processes. @default this process only */
  readonly store?: Store;
  /** Says on whose behalf a request is made. {@link Provider.with} does the same for a whole client. @default nobody's */
  readonly context?: (request: { readonly url: URL; readonly headers: Headers }) => CallInit;
  /** Longest wait for the limits. @default '2m' */
  readonly maxWait?: Duration;
  /** Finds the part of the quota that others leave. @default true */
  readonly adaptive?: AdaptiveOptions | boolean;
  /** Retries of slow-downs, overload and network failures; false for none. @default 6 attempts */
  readonly retry?: RetryOptions | false;
  /** Breaker per account and model; false for none. @default opens for 3 s after 10 failures in a row, or above 50 % in 30 s */
  readonly breaker?: Omit<CircuitBreakerOptions, 'store' | 'key'> | false;
  /** Calls at once. @default what the provider documents, else unbounded */
  readonly concurrency?: number;
  /** Caps on money: the worst case is held, the real cost is booked when the answer (or its stream) ends. @default none */
  readonly budget?: Pick<BudgetOptions, 'scopes' | 'alertAt' | 'onAlert' | 'onStoreDown' | 'account'>;
  /** @default the list prices that come with the package */
  readonly prices?: PriceTable;
  /** Answers equal requests from memory. A cached stream is replayed; the first one arrives when it is complete. @default none */
  readonly cache?: ProviderCacheOptions;
  /** A streamed answer that nobody reads for this long is cancelled, and booked at its worst case unless it has said what it cost. @default '5m' */
  readonly abandonAfter?: Duration;
  /** Told when the account is out of money or allowance; such a call fails at once. @default nobody */
  readonly onQuota?: (error: ProviderError) => void;
  /** While the store is down. @default 'share' */
  readonly onStoreDown?: OnStoreDown;
  /** Time after which an unanswered store counts as down: longer for a database than for a Redis beside the process. @default 50, for money 1000 */
  readonly storeTimeout?: Duration;
  /** What really sends. @default globalThis.fetch */
  readonly fetch?: Fetch;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
  /** Source of jitter. @default Math.random */
  readonly random?: () => number;
}

/** A provider behind its policies. */
export interface Provider {
  /** Give it to the SDK, with the SDK's own retries off. */
  readonly fetch: Fetch;
  /** A `fetch` for one tenant or run. */
  with(init: CallInit): Fetch;
  /** Who waits in this process, for what, until when. */
  line(): WaitingCall[];
  /** State of the limits, by account and model. */
  stats(): Promise<Record<string, RateLimitStats>>;
  /** State of the breaker, by account and model. */
  breaker: CircuitBreaker | undefined;
  /** The books, when there is a budget. */
  budget: Budget | undefined;
}

/**
 * Puts a provider's limits, retries, breaker, cache and budget behind a `fetch`.
 *
 * @param preset - the provider as data; write one for a provider of your own
 */
export function createProvider(preset: ProviderPreset, options: ProviderOptions = {}): Provider {
  const engine = new ProviderEngine(preset, options);
  const send =
    (init: CallInit): Fetch =>
    (input, request) =>
      engine.fetch(input, request, init);
  return {
    fetch: send({}),
    with: send,
    line: () => engine.line(),
    stats: () => engine.stats(),
    breaker: engine.breaker,
    budget: engine.budget,
  };
}
