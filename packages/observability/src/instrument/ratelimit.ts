import { trace } from '@opentelemetry/api';
import type { rateLimitMetrics } from '../catalogue/ratelimit.ts';
import { errorClass, errorCode } from '../error-class.ts';
import type { Instruments } from '../metrics/instruments.ts';
import { type CallOutcome, outcomeOfError, outcomeOfResult, statusOf } from './outcome.ts';
import type { InstrumentParts } from './parts.ts';
import { type HeaderReader, headersOf, readQuotas } from './quota.ts';

type CircuitState = 'closed' | 'open' | 'half-open';

interface CallFacts {
  readonly name: string;
  readonly key: string;
  readonly tenant: string | undefined;
  readonly run: string | undefined;
  readonly model: string | undefined;
  readonly attempt: number;
}

interface BudgetFacts {
  readonly scope: string;
  readonly action: 'hold' | 'settle' | 'release';
  /** Micro-USD, as all amounts. */
  readonly amount: number;
  readonly spent: number;
  readonly held: number;
  readonly cap: number;
}

/** `RateLimitInstrumentation` of `@millrace/ratelimit`, by its shape. */
export interface RateLimitHooks {
  aroundCall<T>(call: CallFacts, next: () => Promise<T>): Promise<T>;
  onAdmitted(event: { readonly policy: string; readonly waitMs: readonly number[] }): void;
  onRefused(event: {
    readonly policy: string;
    readonly tenant: string | undefined;
    readonly code: string;
    readonly reason: string;
  }): void;
  onThrottled(event: {
    readonly policy: string;
    readonly key: string;
    readonly pauseMs: number;
    readonly rateFactor: number;
  }): void;
  onRetry(event: { readonly attempt: number; readonly delayMs: number; readonly error: unknown }): void;
  onCircuit(event: {
    readonly policy: string;
    readonly key: string;
    readonly state: CircuitState;
    readonly remote: boolean;
  }): void;
  onBulkhead(event: {
    readonly policy: string;
    readonly key: string;
    readonly held: number;
    readonly waiting: number;
    readonly limit: number;
  }): void;
  onSettled(event: {
    readonly model: string | undefined;
    readonly reserved: Readonly<Record<string, number>>;
    readonly actual: Readonly<Record<string, number>>;
  }): void;
  onBudget(event: BudgetFacts): void;
  onBudgetAlert(event: {
    readonly scope: string;
    readonly threshold: number;
    readonly spent: number;
    readonly cap: number;
  }): void;
  onCache(event: {
    readonly policy: string;
    readonly outcome: 'hit' | 'stale' | 'miss' | 'joined' | 'negative' | 'stale-error';
  }): void;
  onStore(event: { readonly store: string; readonly available: boolean; readonly error: unknown }): void;
}

type Metrics = Instruments<typeof rateLimitMetrics>;

const breakerValue: Readonly<Record<CircuitState, number>> = { closed: 0, 'half-open': 1, open: 2 };
const microUsd = 1_000_000;

/** Creates the hooks of the rate limits. */
export function rateLimitHooks(metrics: Metrics, parts: InstrumentParts): RateLimitHooks {
  return {
    ...callHooks(metrics, parts),
    ...waitHooks(metrics, parts),
    ...stateHooks(metrics, parts),
    ...moneyHooks(metrics, parts),
  };
}

/** Shows what a provider says is left of its quota. */
export function recordQuotas(metrics: Metrics, provider: string, headers: HeaderReader): void {
  for (const { resource, remaining, limit } of readQuotas(headers)) {
    if (remaining !== undefined) metrics.quotaRemaining.set(remaining, provider, resource);
    if (limit !== undefined) metrics.quotaLimit.set(limit, provider, resource);
  }
}

function callHooks(metrics: Metrics, { tracing, clock }: InstrumentParts): Pick<RateLimitHooks, 'aroundCall'> {
  const record = (provider: string, outcome: CallOutcome, from: number): void => {
    metrics.requests.add(1, provider, outcome);
    metrics.requestSeconds.observe((clock.monotonic() - from) / 1_000, provider, outcome);
  };
  return {
    aroundCall: (call, next) => {
      const from = clock.monotonic();
      return tracing.span(`call ${call.name}`, { kind: 'client', attributes: callAttributes(call) }, async (span) => {
        try {
          const result = await next();
          record(call.name, outcomeOfResult(result), from);
          const headers = headersOf(result);
          if (headers !== undefined) recordQuotas(metrics, call.name, headers);
          const status = statusOf(result);
          if (status !== undefined) span?.setAttribute('http.response.status_code', status);
          return result;
        } catch (error) {
          record(call.name, outcomeOfError(error), from);
          throw error;
        }
      });
    },
  };
}

function callAttributes(call: CallFacts): Record<string, string | number> {
  return {
    'millrace.call.attempt': call.attempt,
    ...(call.model !== undefined && { 'gen_ai.request.model': call.model, 'gen_ai.provider.name': call.name }),
    ...(call.tenant !== undefined && { 'millrace.tenant': call.tenant }),
    ...(call.run !== undefined && { 'millrace.run.id': call.run }),
  };
}

function waitHooks(
  metrics: Metrics,
  { events }: InstrumentParts,
): Pick<RateLimitHooks, 'onAdmitted' | 'onRefused' | 'onThrottled' | 'onRetry'> {
  return {
    onAdmitted: ({ policy, waitMs }) => {
      for (const wait of waitMs) metrics.slotWait.observe(wait / 1_000, policy);
      metrics.refused.add(0, policy, 'ERR_RATE_LIMITED');
      // A batch is decided in the context of only one of its callers: an event on that one's span would be a lie for the others.
      const [wait = 0] = waitMs;
      if (waitMs.length === 1 && wait > 0)
        mark('millrace.ratelimit.wait', { 'millrace.policy': policy, 'millrace.wait_ms': wait });
    },
    onRefused: ({ policy, tenant, code, reason }) => {
      metrics.refused.add(1, policy, code);
      mark('millrace.call.refused', { 'millrace.policy': policy, 'error.type': code });
      events.sample('warn', 'ratelimit.refused', { policy, code, reason, ...(tenant !== undefined && { tenant }) });
    },
    onThrottled: ({ policy, pauseMs, rateFactor }) => {
      metrics.throttled.add(1, policy);
      metrics.rateFactor.set(rateFactor, policy);
      events.sample('warn', 'ratelimit.throttled', { policy, pause_ms: pauseMs, rate_factor: rateFactor });
    },
    onRetry: ({ attempt, delayMs, error }) => {
      const code = errorCode(error);
      metrics.retries.add(1, errorClass(code));
      mark('millrace.call.retry', {
        'millrace.call.attempt': attempt,
        'millrace.wait_ms': delayMs,
        'error.type': code,
      });
    },
  };
}

function mark(name: string, attributes: Readonly<Record<string, string | number>>): void {
  trace.getActiveSpan()?.addEvent(name, attributes);
}

function stateHooks(
  metrics: Metrics,
  { events }: InstrumentParts,
): Pick<RateLimitHooks, 'onCircuit' | 'onBulkhead' | 'onCache' | 'onStore'> {
  return {
    onCircuit: ({ policy, key, state, remote }) => {
      metrics.breaker.set(breakerValue[state], policy, key);
      metrics.breakerTransitions.add(1, policy, state);
      events.write(state === 'open' ? 'error' : 'info', 'ratelimit.circuit', { policy, state, remote });
    },
    onBulkhead: ({ policy, key, held, waiting, limit }) => {
      metrics.permitsHeld.set(held, policy, key);
      metrics.permitsWaiting.set(waiting, policy, key);
      metrics.permitsLimit.set(limit, policy, key);
    },
    onCache: ({ policy, outcome }) => metrics.cache.add(1, policy, outcome),
    onStore: ({ store, available, error }) => {
      metrics.storeUp.set(available ? 1 : 0, store);
      const fields = error === undefined ? { store } : { store, err: error };
      events.write(available ? 'info' : 'error', available ? 'ratelimit.store_back' : 'ratelimit.store_down', fields);
    },
  };
}

function moneyHooks(
  metrics: Metrics,
  { events }: InstrumentParts,
): Pick<RateLimitHooks, 'onSettled' | 'onBudget' | 'onBudgetAlert'> {
  return {
    onSettled: ({ model = 'unknown', reserved, actual }) => {
      for (const [type, amount] of Object.entries(reserved)) metrics.reservedTokens.add(amount, model, type);
      for (const [type, amount] of Object.entries(actual)) metrics.tokens.add(amount, model, type);
      mark(
        'millrace.usage',
        Object.fromEntries(Object.entries(actual).map(([type, amount]) => [`gen_ai.usage.${type}`, amount])),
      );
    },
    onBudget: ({ scope, action, amount, spent, held, cap }) => {
      if (action === 'settle') metrics.spent.add(amount / microUsd, scope);
      if (cap > 0) metrics.budgetRemaining.set(Math.max(0, (cap - spent - held) / cap), scope);
    },
    onBudgetAlert: ({ scope, threshold, spent, cap }) => {
      metrics.budgetAlerts.add(1, scope);
      events.write('warn', 'ratelimit.budget', {
        scope,
        threshold,
        spent_usd: spent / microUsd,
        cap_usd: cap / microUsd,
      });
    },
  };
}
