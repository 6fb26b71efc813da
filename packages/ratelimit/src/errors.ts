/** What an error that can be cured by waiting also says. */
export interface RetryAfterOptions extends ErrorOptions {
  /** Milliseconds after which the same call may succeed. */
  readonly retryAfter?: number;
}

/** Base of every error of this package; `code` tells them apart, also across duplicate copies of the package. */
export abstract class RateLimitError extends Error {
  /** Stable identifier, `ERR_…`. */
  abstract readonly code: string;
}

/** A call would have to wait longer for its rate limit than it may. Nothing was consumed. */
export class RateLimitedError extends RateLimitError {
  readonly code = 'ERR_RATE_LIMITED' as const;
  override readonly name = 'RateLimitedError' as const;
  /** Milliseconds until the call would be admitted. */
  readonly retryAfter: number;
  /** Name of the limit that is exhausted. */
  readonly limit: string;

  constructor(limit: string, retryAfter: number, options?: ErrorOptions) {
    super(
      `The limit "${limit}" is exhausted: try again in ${Math.ceil(retryAfter)} ms, or allow a longer maxWait.`,
      options,
    );
    this.limit = limit;
    this.retryAfter = retryAfter;
  }
}

/** One call costs more than its limit ever holds; waiting cannot help. */
export class CostExceedsLimitError extends RateLimitError {
  readonly code = 'ERR_COST_EXCEEDS_LIMIT' as const;
  override readonly name = 'CostExceedsLimitError' as const;
  /** Name of the limit. */
  readonly limit: string;

  constructor(limit: string, cost: number, capacity: number) {
    super(
      `A cost of ${cost} can never pass the limit "${limit}", which holds ${capacity}: split the call or raise the limit.`,
    );
    this.limit = limit;
  }
}

/** The call took longer than its `timeout` policy or its deadline allows; its signal was aborted with this error. */
export class TimeoutError extends RateLimitError {
  readonly code = 'ERR_TIMEOUT' as const;
  override readonly name = 'TimeoutError' as const;

  constructor(timeoutMs: number, options?: ErrorOptions) {
    super(`The call did not finish within ${Math.ceil(timeoutMs)} ms and was aborted.`, options);
  }
}

/** The circuit breaker is open: the downstream fails, the call was not made. */
export class CircuitOpenError extends RateLimitError {
  readonly code = 'ERR_CIRCUIT_OPEN' as const;
  override readonly name = 'CircuitOpenError' as const;
  /** The breaker's key. */
  readonly key: string;
  /** Milliseconds until the breaker lets a probe through. */
  readonly retryAfter: number;

  constructor(key: string, retryAfter: number, options?: ErrorOptions) {
    super(`The circuit "${key}" is open after too many failures: try again in ${Math.ceil(retryAfter)} ms.`, options);
    this.key = key;
    this.retryAfter = retryAfter;
  }
}

/** Every permit of the bulkhead is taken and the waiting line is full, or the wait was too long. */
export class BulkheadFullError extends RateLimitError {
  readonly code = 'ERR_BULKHEAD_FULL' as const;
  override readonly name = 'BulkheadFullError' as const;
  /** The bulkhead's key. */
  readonly key: string;
  /** Milliseconds after which a permit is likely to be free (the recent mean hold time). */
  readonly retryAfter: number;

  constructor(key: string, limit: number, waiting: number, retryAfter: number) {
    super(`All ${limit} permits of "${key}" are taken and ${waiting} calls wait: try again later or raise the limit.`);
    this.key = key;
    this.retryAfter = retryAfter;
  }
}

/** The call's worst-case cost does not fit into what is left of a budget. Nothing was held or spent. */
export class BudgetExceededError extends RateLimitError {
  readonly code = 'ERR_BUDGET_EXCEEDED' as const;
  override readonly name = 'BudgetExceededError' as const;
  /** The scope whose cap is reached, e.g. `tenant:acme/day`. */
  readonly scope: string;
  /** The cap of that scope, in micro-USD. */
  readonly cap: number;
  /** Spent in that scope's period so far, in micro-USD. */
  readonly spent: number;
  /** Held by calls that are not settled yet, in micro-USD. */
  readonly held: number;
  /** Milliseconds until the scope's period ends; `Infinity` for a scope without a period. */
  readonly retryAfter: number;

  constructor(state: { scope: string; cap: number; spent: number; held: number; retryAfter: number }) {
    super(
      `The budget "${state.scope}" does not allow this call: ${state.spent} of ${state.cap} micro-USD are spent and ${state.held} are held.`,
    );
    this.scope = state.scope;
    this.cap = state.cap;
    this.spent = state.spent;
    this.held = state.held;
    this.retryAfter = state.retryAfter;
  }
}

/** The service sheds load: it is too deep in work, too slow, or something behind it is down. */
export class AdmissionRefusedError extends RateLimitError {
  readonly code = 'ERR_ADMISSION_REFUSED' as const;
  override readonly name = 'AdmissionRefusedError' as const;
  /** What is overloaded. */
  readonly reason: string;
  /** Milliseconds after which trying again makes sense. */
  readonly retryAfter: number;

  constructor(reason: string, retryAfter: number) {
    super(`The call was not admitted (${reason}): try again in ${Math.ceil(retryAfter)} ms.`);
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/** A permit's lease ran out before it was renewed (process stalled, store unreachable); someone else may hold it now. */
export class PermitLostError extends RateLimitError {
  readonly code = 'ERR_PERMIT_LOST' as const;
  override readonly name = 'PermitLostError' as const;

  constructor(key: string, options?: ErrorOptions) {
    super(
      `The permit of "${key}" was lost because its lease could not be renewed in time; the call was aborted.`,
      options,
    );
  }
}

/** The shared store did not answer in time or failed, and the policy is configured to refuse then (`onStoreDown: 'closed'`). */
export class StoreUnavailableError extends RateLimitError {
  readonly code = 'ERR_STORE_UNAVAILABLE' as const;
  override readonly name = 'StoreUnavailableError' as const;
  /** Milliseconds after which the store is asked again. */
  readonly retryAfter: number;

  constructor(retryAfter: number, options?: ErrorOptions) {
    super(
      'The rate-limit store cannot be reached; check its connection or set onStoreDown to "share" or "open".',
      options,
    );
    this.retryAfter = retryAfter;
  }
}

/** An option has a value that cannot work. */
export class InvalidOptionError extends RateLimitError {
  readonly code = 'ERR_INVALID_OPTION' as const;
  override readonly name = 'InvalidOptionError' as const;
}

/** An option that should be a length of time is not one. */
export class InvalidDurationError extends RateLimitError {
  readonly code = 'ERR_INVALID_DURATION' as const;
  override readonly name = 'InvalidDurationError' as const;

  constructor(option: string, value: unknown) {
    super(`Expected \`${option}\` to be milliseconds or text such as '30s', got ${JSON.stringify(value)}.`);
  }
}
