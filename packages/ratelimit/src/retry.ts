import { type Backoff, exponential } from './backoff.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { InvalidOptionError } from './errors.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { CallContext, Policy } from './policy.ts';
import { retryAfterOf } from './retry-after.ts';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';

/** Options of {@link retry}. */
export interface RetryOptions {
  /** Attempts in all, the first one included. @default 3 */
  readonly maxAttempts?: number;
  /** Delays between attempts; an error's `retryAfter` or Retry-After header makes a delay longer, never shorter. @default exponential() */
  readonly backoff?: Backoff;
  /** A Retry-After longer than this is not waited for: the error goes to the caller. @default '2m' */
  readonly maxRetryAfter?: Duration;
  /** Milliseconds that all attempts together may take; the last error goes to the caller when the next delay would pass it. @default none */
  readonly deadline?: Duration;
  /** Bounds retries to a share of all calls through this policy; false for no bound. @default 20 % and 10 per second */
  readonly budget?: RetryBudgetOptions | RetryBudget | false;
  /** Which failures are worth another attempt. @default {@link isTransient} */
  readonly retryable?: (error: unknown, ctx: CallContext) => boolean;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
  /** Source of jitter, 0 to 1. @default Math.random */
  readonly random?: () => number;
}

/**
 * Repeats a failed call with growing, jittered delays, and obeys Retry-After.
 *
 * @throws the last attempt's error
 */
export function retry(options: RetryOptions = {}): Policy {
  const settings = settle(options);
  return (next, ctx) => {
    settings.budget?.deposit();
    return attempts(settings, next, ctx);
  };
}

interface Settings {
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly maxRetryAfter: number;
  readonly deadline: number;
  readonly budget: RetryBudget | undefined;
  readonly retryable: (error: unknown, ctx: CallContext) => boolean;
  readonly instrumentation: RateLimitInstrumentation | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

function settle(options: RetryOptions): Settings {
  const { maxAttempts = 3, clock = systemClock, budget = {} } = options;
  if (!(Number.isInteger(maxAttempts) && maxAttempts >= 1)) {
    throw new InvalidOptionError(`Expected \`maxAttempts\` to be a whole number from 1 up, got ${maxAttempts}.`);
  }
  return {
    maxAttempts,
    backoff: options.backoff ?? exponential(),
    maxRetryAfter: toMilliseconds(options.maxRetryAfter ?? '2m', 'maxRetryAfter'),
    deadline: options.deadline === undefined ? Number.POSITIVE_INFINITY : toMilliseconds(options.deadline, 'deadline'),
    budget: budget === false ? undefined : budget instanceof RetryBudget ? budget : new RetryBudget(budget, clock),
    retryable: options.retryable ?? isTransient,
    instrumentation: options.instrumentation,
    clock,
    random: options.random ?? Math.random,
  };
}

async function attempts<T>(settings: Settings, next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
  let delay = 0;
  let startedAt: number | undefined;
  for (let attempt = 1; ; attempt++) {
    if (settings.deadline !== Number.POSITIVE_INFINITY) startedAt ??= settings.clock.monotonic();
    try {
      return await next(attempt === 1 ? ctx : ctx.derive({ attempt }));
    } catch (error) {
      if (attempt >= settings.maxAttempts || ctx.aborted || !settings.retryable(error, ctx)) throw error;
      delay = nextDelay(settings, error, attempt, delay);
      if (!fits(settings, delay, ctx, startedAt) || settings.budget?.withdraw() === false) throw error;
      settings.instrumentation?.onRetry?.({ key: ctx.key, attempt, delayMs: delay, error });
      await sleep(settings.clock, delay, ctx);
    }
  }
}

/** A jittered delay on top of what the server asks for: everybody it told the same must not come back in the same instant. */
function nextDelay(settings: Settings, error: unknown, attempt: number, previous: number): number {
  const own = settings.backoff(attempt, previous, settings.random);
  const asked = retryAfterOf(error, settings.clock.now());
  if (asked === undefined) return own;
  return asked > settings.maxRetryAfter ? Number.POSITIVE_INFINITY : asked + Math.min(own, asked * 0.25 + 50);
}

function fits({ clock, deadline }: Settings, delay: number, ctx: CallContext, startedAt: number | undefined): boolean {
  if (delay === Number.POSITIVE_INFINITY) return false;
  const until = clock.monotonic() + delay;
  return (
    until <= (ctx.deadline ?? Number.POSITIVE_INFINITY) && (startedAt === undefined || until <= startedAt + deadline)
  );
}

const transientCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ERR_TIMEOUT',
  'ERR_RATE_LIMITED',
  'ERR_CIRCUIT_OPEN',
  'ERR_BULKHEAD_FULL',
  'ERR_STORE_UNAVAILABLE',
  'ERR_ADMISSION_REFUSED',
]);

/**
 * The default of {@link RetryOptions.retryable}: network failures, timeouts, and errors with HTTP status 408, 409, 425, 429 or 5xx (not 501).
 * An error can decide for itself with a boolean `retryable`.
 */
export function isTransient(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  if ('retryable' in error && typeof error.retryable === 'boolean') return error.retryable;
  if ('status' in error && typeof error.status === 'number') return isTransientStatus(error.status);
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && transientCodes.has(code)) return true;
  return cause !== undefined && cause !== error && isTransient(cause);
}

function isTransientStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 425 || status === 429 || (status >= 500 && status !== 501);
}
