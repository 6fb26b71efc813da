import { type Budget, budget } from '../budget.ts';
import { type Bulkhead, bulkhead } from '../bulkhead.ts';
import { type CircuitBreaker, circuitBreaker, isDownstreamFailure } from '../circuit-breaker.ts';
import { type Clock, systemClock } from '../clock.ts';
import { type Duration, toMilliseconds } from '../duration.ts';
import type { RateLimitInstrumentation } from '../instrumentation.ts';
import { memoryStore } from '../memory.ts';
import type { CallContext, Policy } from '../policy.ts';
import { type ResponseCache, responseCache } from '../response-cache.ts';
import { retry } from '../retry.ts';
import type { Store } from '../store.ts';
import { StoreGate } from '../store-gate.ts';
import { GrowingPause } from './growing-pause.ts';
import { Limiters } from './limiters.ts';
import type { ProviderPreset } from './preset.ts';
import type { ProviderOptions } from './provider.ts';
import { ProviderError } from './provider-error.ts';
import { responseCodec } from './response-codec.ts';

interface Shared {
  readonly clock: Clock;
  readonly instrumentation?: RateLimitInstrumentation;
  readonly store?: Store;
  readonly storeTimeout?: Duration;
}

/** The policies of a provider, as its preset and the user's options want them. */
export class ProviderPolicies {
  readonly limiters: Limiters;
  readonly bulkhead: Bulkhead | undefined;
  readonly breaker: CircuitBreaker | undefined;
  readonly budget: Budget | undefined;
  readonly cache: ResponseCache | undefined;
  readonly retry: Policy | undefined;
  readonly pause: GrowingPause;

  constructor(preset: ProviderPreset, options: ProviderOptions) {
    const { clock = systemClock, store, storeTimeout, instrumentation } = options;
    const shared: Shared = {
      clock,
      ...(instrumentation === undefined ? {} : { instrumentation }),
      ...(store === undefined ? {} : { store }),
      ...(storeTimeout === undefined ? {} : { storeTimeout }),
    };
    this.limiters = limitersOf(preset, options, shared);
    this.bulkhead = bulkheadOf(preset, options, shared);
    this.breaker = breakerOf(preset, options, shared);
    this.budget = options.budget && budget({ ...shared, ...options.budget, estimate: (ctx) => ctx.cost.microUsd ?? 0 });
    this.cache = cacheOf(preset, options, shared);
    this.retry = retryOf(options, shared);
    this.pause = pauseOf(preset, options, shared);
  }
}

function limitersOf(preset: ProviderPreset, options: ProviderOptions, shared: Shared): Limiters {
  return new Limiters(preset, options.limits, {
    ...shared,
    // One store for all: limits that turn out different keep what was counted so far.
    store: options.store ?? memoryStore({ clock: shared.clock }),
    name: preset.name,
    maxWait: options.maxWait ?? '2m',
    adaptive: options.adaptive ?? true,
    onStoreDown: options.onStoreDown ?? 'share',
    throttled: (error) => (error instanceof ProviderError ? error.pauseFor : undefined),
  });
}

function bulkheadOf(preset: ProviderPreset, options: ProviderOptions, shared: Shared): Bulkhead | undefined {
  const limit = options.concurrency ?? preset.concurrency;
  if (limit === undefined) return undefined;
  const maxWait = options.maxWait ?? '2m';
  return bulkhead({ ...shared, limit, name: `${preset.name}/concurrency`, key: accountOf, maxWait });
}

/** Concurrency is a matter of the account, whatever the model. */
function accountOf({ key }: CallContext): string {
  return key.split('/')[0] ?? key;
}

function breakerOf(preset: ProviderPreset, options: ProviderOptions, shared: Shared): CircuitBreaker | undefined {
  if (options.breaker === false) return undefined;
  const name = `${preset.name}/breaker`;
  return circuitBreaker({
    ...shared,
    name,
    countsAsFailure,
    openFor: '3s',
    consecutiveFailures: 10,
    ...options.breaker,
  });
}

function countsAsFailure(error: unknown, ctx: CallContext): boolean {
  if (error instanceof ProviderError) return error.kind === 'overloaded' || error.kind === 'server';
  return isDownstreamFailure(error, ctx);
}

function cacheOf(preset: ProviderPreset, { cache }: ProviderOptions, shared: Shared): ResponseCache | undefined {
  if (cache === undefined) return undefined;
  const name = `${preset.name}/cache`;
  return responseCache({ ...shared, ...cache, name, key: (ctx) => ctx.key, codec: responseCodec });
}

function pauseOf(preset: ProviderPreset, { account = preset.name }: ProviderOptions, shared: Shared): GrowingPause {
  const { clock, instrumentation, store = memoryStore({ clock }) } = shared;
  const timeoutMs = toMilliseconds(shared.storeTimeout ?? 50, 'storeTimeout');
  const gate = new StoreGate({ store: store.name, timeoutMs, clock, instrumentation });
  return new GrowingPause({ clock, cache: store.cache, gate, account });
}

function retryOf(options: ProviderOptions, { clock, instrumentation }: Shared): Policy | undefined {
  if (options.retry === false) return undefined;
  const random = options.random ?? Math.random;
  const told = instrumentation === undefined ? {} : { instrumentation };
  return retry({ maxAttempts: 6, clock, random, ...told, ...options.retry });
}
