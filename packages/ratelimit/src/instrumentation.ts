/**
 * What `@millrace/ratelimit` tells an observer. Every member is optional; what is absent costs nothing.
 * `@millrace/observability` implements this interface structurally.
 */
export interface RateLimitInstrumentation {
  /**
   * Runs around whatever the `instrument` policy wraps: the whole call with its waits and retries when it stands outermost,
   * one attempt when it stands innermost.
   */
  aroundCall?<T>(call: CallInfo, next: () => Promise<T>): Promise<T>;
  /** Calls got through a rate limit: one event per store round trip, whatever the number of calls. */
  onAdmitted?(event: AdmittedEvent): void;
  /** A policy refused a call without making it. */
  onRefused?(event: RefusedEvent): void;
  /** A provider answered "slow down" (429); every process that shares the key pauses. */
  onThrottled?(event: ThrottledEvent): void;
  /** An attempt failed and another one follows. */
  onRetry?(event: RetryEvent): void;
  /** A circuit breaker changed its state. */
  onCircuit?(event: CircuitEvent): void;
  /** A bulkhead's occupancy changed. */
  onBulkhead?(event: BulkheadEvent): void;
  /** Usage was settled against a limit's reservation. */
  onSettled?(event: SettledEvent): void;
  /** Money was held, settled or given back. */
  onBudget?(event: BudgetEvent): void;
  /** A budget passed one of its alert thresholds. */
  onBudgetAlert?(event: BudgetAlertEvent): void;
  /** The response cache was asked. */
  onCache?(event: CacheEvent): void;
  /** The shared store stopped or resumed answering. */
  onStore?(event: StoreEvent): void;
}

/** Which call an `around` hook surrounds. */
export interface CallInfo {
  /** The name given to the `instrument` policy, e.g. the provider. */
  readonly name: string;
  readonly key: string;
  readonly tenant: string | undefined;
  readonly run: string | undefined;
  readonly model: string | undefined;
  readonly attempt: number;
  readonly traceparent: string | undefined;
}

/** Calls admitted by one decision of a rate limit. */
export interface AdmittedEvent {
  /** Name of the policy. */
  readonly policy: string;
  readonly key: string;
  /** Milliseconds that each admitted call waits for its slot; 0 for a call that goes at once. */
  readonly waitMs: readonly number[];
  /** The limit that each call waits for; undefined for a call that goes at once. */
  readonly limitedBy: readonly (string | undefined)[];
}

/** A call that was refused. */
export interface RefusedEvent {
  /** Name of the policy. */
  readonly policy: string;
  readonly key: string;
  readonly tenant: string | undefined;
  /** `code` of the error that the caller gets. */
  readonly code: string;
  /** Limit, scope or reason. */
  readonly reason: string;
  /** Milliseconds until it is worth trying again, where known. */
  readonly retryAfterMs: number | undefined;
}

/** A 429 of the provider. */
export interface ThrottledEvent {
  readonly policy: string;
  readonly key: string;
  /** Milliseconds that the shared key pauses. */
  readonly pauseMs: number;
  /** Share of the configured rate that is used from now on, 0 to 1 (AIMD). */
  readonly rateFactor: number;
}

/** A failed attempt that is repeated. */
export interface RetryEvent {
  readonly key: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  /** Milliseconds until the next one. */
  readonly delayMs: number;
  readonly error: unknown;
}

/** State of a circuit breaker. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** A breaker's change of state, seen by this process. */
export interface CircuitEvent {
  readonly policy: string;
  readonly key: string;
  readonly state: CircuitState;
  /** True when another process caused it. */
  readonly remote: boolean;
}

/** Occupancy of a bulkhead in this process. */
export interface BulkheadEvent {
  readonly policy: string;
  readonly key: string;
  readonly held: number;
  readonly waiting: number;
  /** Permits that exist; moves with adaptive concurrency. */
  readonly limit: number;
}

/** Reservation and truth of one call. */
export interface SettledEvent {
  readonly policy: string;
  readonly key: string;
  readonly model: string | undefined;
  readonly reserved: Readonly<Record<string, number>>;
  readonly actual: Readonly<Record<string, number>>;
}

/** A movement of a budget scope, in micro-USD. */
export interface BudgetEvent {
  readonly scope: string;
  readonly action: 'hold' | 'settle' | 'release';
  readonly amount: number;
  readonly spent: number;
  readonly held: number;
  readonly cap: number;
}

/** A threshold that a budget scope has passed. */
export interface BudgetAlertEvent {
  readonly scope: string;
  /** The threshold, as a share of the cap. */
  readonly threshold: number;
  readonly spent: number;
  readonly cap: number;
}

/** One question to the response cache. */
export interface CacheEvent {
  readonly policy: string;
  readonly tenant: string | undefined;
  readonly outcome: 'hit' | 'stale' | 'miss' | 'joined' | 'negative' | 'stale-error';
}

/** Reachability of a store. */
export interface StoreEvent {
  readonly store: string;
  readonly available: boolean;
  readonly error: unknown;
}
