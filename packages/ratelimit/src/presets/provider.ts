import { type Budget, type BudgetOptions, budget } from '../budget.ts';
import type { BudgetHold } from '../budget-hold.ts';
import { type Bulkhead, bulkhead } from '../bulkhead.ts';
import { promptKey } from '../canonical.ts';
import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  circuitBreaker,
  isDownstreamFailure,
} from '../circuit-breaker.ts';
import { type Clock, systemClock } from '../clock.ts';
import { createContext } from '../context.ts';
import type { Duration } from '../duration.ts';
import { instrument } from '../instrument.ts';
import type { RateLimitInstrumentation } from '../instrumentation.ts';
import type { CallContext, CallInit, Cost, Policy } from '../policy.ts';
import { costOf, type PriceTable, priceOf } from '../prices.ts';
import type { RateLimitStats } from '../rate-limit.ts';
import { type ResponseCacheOptions, responseCache } from '../response-cache.ts';
import { type RetryOptions, retry } from '../retry.ts';
import type { Store } from '../store.ts';
import type { OnStoreDown } from '../store-gate.ts';
import type { AdaptiveOptions } from '../throttle.ts';
import type { WaitingCall } from '../waiting-line.ts';
import { compose } from '../wrap.ts';
import { EtagCache } from './etag-cache.ts';
import { Limiters } from './limiters.ts';
import { type ProviderPreset, parseJson } from './preset.ts';
import { type FetchCall, readCall } from './provider-call.ts';
import { ProviderError } from './provider-error.ts';
import { responseCodec } from './response-codec.ts';
import { watchUsage } from './usage-stream.ts';

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

/** What is held for a call until its answer has been read to the end. */
interface Held {
  readonly call: FetchCall;
  hold: BudgetHold | undefined;
}

class ProviderEngine {
  readonly breaker: CircuitBreaker | undefined;
  readonly budget: Budget | undefined;
  readonly #preset: ProviderPreset;
  readonly #options: ProviderOptions;
  readonly #clock: Clock;
  readonly #limiters: Limiters;
  readonly #bulkhead: Bulkhead | undefined;
  readonly #cache: Policy | undefined;
  readonly #etags: EtagCache | undefined;
  readonly #policies: Policy;
  readonly #unrepeatable: Policy;

  constructor(preset: ProviderPreset, options: ProviderOptions) {
    const { clock = systemClock, store, storeTimeout, instrumentation, random = Math.random } = options;
    const shared = {
      clock,
      ...(instrumentation === undefined ? {} : { instrumentation }),
      ...(store === undefined ? {} : { store }),
      ...(storeTimeout === undefined ? {} : { storeTimeout }),
    };
    this.#preset = preset;
    this.#options = options;
    this.#clock = clock;
    this.#limiters = new Limiters(preset, options.limits, {
      ...shared,
      name: preset.name,
      maxWait: options.maxWait ?? '2m',
      adaptive: options.adaptive ?? true,
      onStoreDown: options.onStoreDown ?? 'share',
      throttled: (error) => (error instanceof ProviderError ? error.pauseFor : undefined),
    });
    const concurrency = options.concurrency ?? preset.concurrency;
    this.#bulkhead =
      concurrency === undefined
        ? undefined
        : bulkhead({
            ...shared,
            limit: concurrency,
            name: `${preset.name}/concurrency`,
            key: accountOf,
            maxWait: options.maxWait ?? '2m',
          });
    this.breaker =
      options.breaker === false
        ? undefined
        : circuitBreaker({
            ...shared,
            name: `${preset.name}/breaker`,
            countsAsFailure,
            openFor: '3s',
            consecutiveFailures: 10,
            ...options.breaker,
          });
    this.budget = options.budget && budget({ ...shared, ...options.budget, estimate: (ctx) => ctx.cost.microUsd ?? 0 });
    this.#cache =
      options.cache &&
      responseCache({
        ...shared,
        ...options.cache,
        name: `${preset.name}/cache`,
        key: (ctx) => ctx.key,
        codec: responseCodec,
      });
    this.#etags = preset.etags ? new EtagCache(16 * 2 ** 20) : undefined;
    const limited: Policy = (next, ctx) => this.#limiters.get(ctx.key)?.(next, ctx) ?? next(ctx);
    const inner = [
      ...(this.breaker === undefined ? [] : [this.breaker]),
      limited,
      instrument(preset.name, instrumentation),
    ];
    const repeat =
      options.retry === false
        ? []
        : [
            retry({
              maxAttempts: 6,
              clock,
              random,
              ...(instrumentation === undefined ? {} : { instrumentation }),
              ...options.retry,
            }),
          ];
    this.#policies = compose(...repeat, ...inner);
    this.#unrepeatable = compose(...inner);
  }

  async fetch(input: string | URL | Request, init: RequestInit | undefined, given: CallInit): Promise<Response> {
    const call = await readCall(input, init);
    const ctx = this.#contextOf(call, given);
    try {
      return await this.#cached(call, ctx);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (error.kind === 'quota') this.#options.onQuota?.(error);
      return error.response;
    }
  }

  line(): WaitingCall[] {
    const waiting = [...this.#limiters.all()].flatMap(([, { limit }]) => limit.line());
    return [...waiting, ...(this.#bulkhead?.line() ?? [])];
  }

  async stats(): Promise<Record<string, RateLimitStats>> {
    const entries = [...this.#limiters.all()].map(
      async ([key, { limit }]) => [key, await limit.stats({ key })] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  #contextOf(call: FetchCall, given: CallInit): CallContext {
    const { account = this.#preset.name, context } = this.#options;
    const model = this.#preset.model(call);
    return createContext({
      ...context?.(call),
      ...given,
      ...(model === undefined ? {} : { model }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      key: model === undefined ? account : `${account}/${model}`,
      cost: { ...this.#preset.cost(call), ...this.#worstCase(call, model) },
    });
  }

  /** The hold of the budget, as one more dimension of the cost. */
  #worstCase(call: FetchCall, model: string | undefined): Cost {
    if (this.budget === undefined) return {};
    return { microUsd: this.#price(model, this.#preset.worstCase(call)) };
  }

  #price(model: string | undefined, usage: Cost): number {
    const table = this.#options.prices ?? this.#preset.prices;
    const price = table === undefined || model === undefined ? undefined : priceOf(table, model);
    return price === undefined ? 0 : costOf(price, usage);
  }

  #cached(call: FetchCall, ctx: CallContext): Promise<Response> {
    const when = this.#options.cache?.when ?? ((body) => body.temperature === 0);
    if (this.#cache === undefined || call.method !== 'POST' || !when(call.body)) return this.#held(call, ctx);
    const key = `${call.url.pathname}${call.url.search} ${call.body.stream === true} ${promptKey(call.body)}`;
    return this.#cache((inner) => this.#held(call, inner.derive({ key: ctx.key })), ctx.derive({ key }));
  }

  /** One hold of money for the call, however often it is tried. */
  async #held(call: FetchCall, ctx: CallContext): Promise<Response> {
    const held: Held = { call, hold: await this.budget?.reserve(ctx, ctx.cost.microUsd ?? 0) };
    const policies = call.repeatable ? this.#policies : this.#unrepeatable;
    try {
      return await policies((inner) => this.#attempt(held, inner), ctx);
    } catch (error) {
      await held.hold?.settle(0);
      throw error;
    }
  }

  async #attempt(held: Held, ctx: CallContext): Promise<Response> {
    const permit = await this.#bulkhead?.acquire(ctx);
    const end = (usage: Cost | undefined): void => {
      permit?.release();
      this.#settle(held, ctx, usage);
    };
    try {
      return await this.#send(held.call, ctx, end);
    } catch (error) {
      permit?.release();
      throw error;
    }
  }

  async #send(call: FetchCall, ctx: CallContext, end: (usage: Cost | undefined) => void): Promise<Response> {
    const { fetch = globalThis.fetch } = this.#options;
    const etag = this.#etags?.etagFor(call);
    const headers = new Headers(call.headers);
    if (etag !== undefined) headers.set('if-none-match', etag);
    const response = await fetch(call.target, { ...call.init, headers, signal: ctx.signal });
    await this.#limiters.report(ctx, this.#preset.report(response.headers, this.#clock.now()));
    if (response.status === 304) return this.#unchanged(call, ctx, response, etag, end);
    if (!response.ok) throw await this.#failure(ctx, response);
    await this.#etags?.keep(call, response);
    return finish(response, this.#preset.usage, end);
  }

  /** A 304 costs nothing of the primary limit; the caller gets the kept answer, or the 304 it asked for itself. */
  #unchanged(
    call: FetchCall,
    ctx: CallContext,
    response: Response,
    etag: string | undefined,
    end: (usage: Cost | undefined) => void,
  ): Response {
    ctx.settle({ requests: 0 });
    end(undefined);
    return (etag === undefined ? undefined : this.#etags?.answer(call, response)) ?? response;
  }

  async #failure(ctx: CallContext, response: Response): Promise<ProviderError> {
    const body = await response.text();
    const failure = this.#preset.classify(response.status, response.headers, body, this.#clock.now());
    // A refused call used no tokens; it may have counted as a request.
    ctx.settle({ input: 0, output: 0, tokens: 0 });
    const { status, statusText } = response;
    return new ProviderError(
      this.#preset.name,
      new Response(body, { status, statusText, headers: plain(response.headers) }),
      failure,
    );
  }

  #settle({ hold, call }: Held, ctx: CallContext, usage: Cost | undefined): void {
    const microUsd = usage === undefined ? undefined : this.#price(ctx.model, this.#preset.billed(usage));
    if (usage !== undefined) ctx.settle(microUsd === undefined ? usage : { ...usage, microUsd });
    // A stream that broke before it said what it cost: input was sent, output unknown, so the worst case is booked.
    const booked = microUsd ?? (call.method === 'POST' ? hold?.amount : 0) ?? 0;
    hold?.settle(booked).catch(() => {});
  }
}

function accountOf({ key }: CallContext): string {
  return key.split('/')[0] ?? key;
}

function countsAsFailure(error: unknown, ctx: CallContext): boolean {
  if (error instanceof ProviderError) return error.kind === 'overloaded' || error.kind === 'server';
  return isDownstreamFailure(error, ctx);
}

/** Headers that fit a body which is decoded already. */
function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  copy.delete('content-encoding');
  copy.delete('content-length');
  return copy;
}

async function finish(
  response: Response,
  usage: (data: unknown) => Cost | undefined,
  end: (usage: Cost | undefined) => void,
): Promise<Response> {
  const type = response.headers.get('content-type') ?? '';
  const { status, statusText } = response;
  if (type.includes('event-stream') && response.body !== null) {
    return new Response(watchUsage(response.body, usage, end), {
      status,
      statusText,
      headers: plain(response.headers),
    });
  }
  if (!type.includes('json')) {
    end(undefined);
    return response;
  }
  const text = await response.text();
  end(usage(parseJson(text)));
  return new Response(text, { status, statusText, headers: plain(response.headers) });
}
