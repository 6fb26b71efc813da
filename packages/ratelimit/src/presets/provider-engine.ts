import type { Budget } from '../budget.ts';
import type { BudgetHold } from '../budget-hold.ts';
import type { Bulkhead } from '../bulkhead.ts';
import { promptKey } from '../canonical.ts';
import type { CircuitBreaker } from '../circuit-breaker.ts';
import { type Clock, systemClock } from '../clock.ts';
import { createContext } from '../context.ts';
import { toMilliseconds } from '../duration.ts';
import { instrument } from '../instrument.ts';
import type { CallContext, CallInit, Cost, Policy } from '../policy.ts';
import { costOf, type PriceTable, priceOf, UnknownPriceError } from '../prices.ts';
import type { RateLimitStats } from '../rate-limit.ts';
import type { WaitingCall } from '../waiting-line.ts';
import { compose } from '../wrap.ts';
import { EtagCache } from './etag-cache.ts';
import type { GrowingPause } from './growing-pause.ts';
import type { Limiters } from './limiters.ts';
import { type Failure, type ProviderPreset, parseJson } from './preset.ts';
import type { ProviderOptions } from './provider.ts';
import { type FetchCall, readCall } from './provider-call.ts';
import { ProviderError } from './provider-error.ts';
import { ProviderPolicies } from './provider-policies.ts';
import { finish, plain } from './response-end.ts';

/** What is held for a call until its answer has been read to the end. */
interface Held {
  readonly call: FetchCall;
  hold: BudgetHold | undefined;
}

/** A preset's policies around `fetch`. */
export class ProviderEngine {
  readonly breaker: CircuitBreaker | undefined;
  readonly budget: Budget | undefined;
  readonly #preset: ProviderPreset;
  readonly #options: ProviderOptions;
  readonly #clock: Clock;
  readonly #limiters: Limiters;
  readonly #pause: GrowingPause;
  readonly #bulkhead: Bulkhead | undefined;
  readonly #cache: Policy | undefined;
  readonly #etags: EtagCache | undefined;
  readonly #prices: PriceTable | undefined;
  readonly #policies: Policy;
  readonly #unrepeatable: Policy;
  readonly #abandonAfter: number;

  constructor(preset: ProviderPreset, options: ProviderOptions) {
    const parts = new ProviderPolicies(preset, options);
    this.#preset = preset;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limiters = parts.limiters;
    this.#pause = parts.pause;
    this.#bulkhead = parts.bulkhead;
    this.breaker = parts.breaker;
    this.budget = parts.budget;
    this.#cache = parts.cache;
    this.#etags = preset.etags ? new EtagCache(16 * 2 ** 20) : undefined;
    this.#prices = options.prices ?? preset.prices;
    const breaker = this.breaker === undefined ? [] : [this.breaker];
    const inner = [...breaker, this.#limiters.policy, instrument(preset.name, options.instrumentation)];
    this.#policies = compose(...(parts.retry === undefined ? [] : [parts.retry]), ...inner);
    this.#unrepeatable = compose(...inner);
    this.#abandonAfter = toMilliseconds(options.abandonAfter ?? '5m', 'abandonAfter');
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
    return [...this.#limiters.line(), ...(this.#bulkhead?.line() ?? [])];
  }

  stats(): Promise<Record<string, RateLimitStats>> {
    return this.#limiters.stats();
  }

  #contextOf(call: FetchCall, given: CallInit): CallContext {
    const { account = this.#preset.name, context } = this.#options;
    const model = this.#preset.model(call);
    const ctx = createContext({
      ...context?.(call),
      ...given,
      ...(model === undefined ? {} : { model }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      key: model === undefined ? account : `${account}/${model}`,
      cost: this.#preset.cost(call),
    });
    if (this.budget === undefined) return ctx;
    // What the budget holds is one more dimension of the cost.
    return ctx.derive({ cost: { ...ctx.cost, microUsd: this.#price(ctx, this.#preset.worstCase(call)) } });
  }

  /** Calls without a model (lists, files) are free. @throws UnknownPriceError for a model that a budget has to cover */
  #price(ctx: CallContext, usage: Cost): number {
    const { model } = ctx;
    if (this.#prices === undefined || model === undefined) return 0;
    const price = priceOf(this.#prices, model);
    if (price !== undefined) return costOf(price, usage);
    const scopes = this.#options.budget?.scopes ?? [];
    if (scopes.some(({ of }) => of === undefined || of(ctx) !== undefined)) {
      throw new UnknownPriceError(model, this.#prices);
    }
    return 0;
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
    if ((!response.ok && response.status !== 304) || (await this.#refuses(call, response))) {
      throw await this.#failure(ctx, response);
    }
    this.#pause.succeeded();
    if (response.status === 304) return this.#unchanged(call, ctx, response, etag, end);
    await this.#etags?.keep(call, response);
    const { usage } = this.#preset;
    return finish(response, { usage, end, caller: ctx, clock: this.#clock, abandonedAfter: this.#abandonAfter });
  }

  #refuses(call: FetchCall, response: Response): Promise<boolean> | undefined {
    return this.#preset.refuses?.(call, async () => parseJson(await response.clone().text()));
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
    const told = this.#preset.classify(response.status, response.headers, body, this.#clock.now());
    const failure = await this.#grown(told);
    // A refused call used no tokens; it may have counted as a request.
    ctx.settle({ input: 0, output: 0, tokens: 0 });
    const { status, statusText } = response;
    return new ProviderError(
      this.#preset.name,
      new Response(body, { status, statusText, headers: plain(response.headers) }),
      failure,
    );
  }

  async #grown(failure: Failure): Promise<Failure> {
    if (failure.doubles !== true) return failure;
    return { ...failure, retryAfter: await this.#pause.refused(failure.retryAfter ?? 0) };
  }

  #settle({ hold, call }: Held, ctx: CallContext, usage: Cost | undefined): void {
    const microUsd = usage?.output === undefined ? undefined : this.#price(ctx, this.#preset.billed(usage));
    if (usage !== undefined) ctx.settle(microUsd === undefined ? usage : { ...usage, microUsd });
    // A stream that broke before it said what it cost: input was sent, output unknown, so the worst case is booked.
    const booked = microUsd ?? (call.method === 'POST' ? hold?.amount : 0) ?? 0;
    hold?.settle(booked).catch(() => {});
  }
}
