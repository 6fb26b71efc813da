import { type Clock, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { AdmissionRefusedError, InvalidOptionError } from './errors.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { CallContext, Policy } from './policy.ts';

/** Something that can be overloaded. */
export interface LoadSignal {
  /** What it is, for the error: `queue depth`, `database`. */
  readonly name: string;
  /** Its load: 1 is full. A closed gate (an open circuit) is 1, an idle one 0. */
  readonly load: (ctx: CallContext) => number;
}

/** Options of {@link admission}. */
export interface AdmissionOptions {
  /** Calls that may run at once. @default Infinity */
  readonly maxInFlight?: number;
  /** Mean latency above which calls are shed. @default none */
  readonly targetLatency?: Duration;
  /** Other loads: queue depth, breakers, memory. @default none */
  readonly signals?: readonly LoadSignal[];
  /** The load up to which each priority is admitted; a priority that is not listed counts as 1. @default { } */
  readonly shedAt?: Readonly<Record<string, number>>;
  /** Suggested wait of the refusal; grows with the overload. @default '1s' */
  readonly retryAfter?: Duration;
  /** @default 'admission' */
  readonly name?: string;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Calls over which the mean latency is taken. */
const latencyMemory = 20;

/**
 * Sheds load at the door: refuses at once, with a time to come back, what would only wait inside.
 *
 * @throws AdmissionRefusedError
 */
export function admission(options: AdmissionOptions = {}): Policy {
  const { maxInFlight = Number.POSITIVE_INFINITY, clock = systemClock, name = 'admission', shedAt = {} } = options;
  const retryAfter = toMilliseconds(options.retryAfter ?? '1s', 'retryAfter');
  const target =
    options.targetLatency === undefined
      ? Number.POSITIVE_INFINITY
      : toMilliseconds(options.targetLatency, 'targetLatency');
  if (!(maxInFlight >= 1)) {
    throw new InvalidOptionError(`Expected \`maxInFlight\` to be a number from 1 up, got ${maxInFlight}.`);
  }
  let inFlight = 0;
  let latency = 0;
  const signals: readonly LoadSignal[] = [
    { name: 'calls in flight', load: () => inFlight / maxInFlight },
    // An idle service must let somebody in to learn that it is fast again.
    { name: 'latency', load: () => (inFlight === 0 ? 0 : latency / target) },
    ...(options.signals ?? []),
  ];

  const refuse = (ctx: CallContext, reason: string, load: number): never => {
    const error = new AdmissionRefusedError(reason, retryAfter * Math.min(10, Math.max(1, load)));
    const { key, tenant } = ctx;
    const event = { policy: name, key, tenant, code: error.code, reason, retryAfterMs: error.retryAfter };
    options.instrumentation?.onRefused?.(event);
    throw error;
  };

  return async (next, ctx) => {
    const bound = shedAt[ctx.priority ?? ''] ?? 1;
    for (const signal of signals) {
      const load = signal.load(ctx);
      if (load >= bound) refuse(ctx, signal.name, load / bound);
    }
    inFlight += 1;
    const startedAt = clock.monotonic();
    try {
      return await next(ctx);
    } finally {
      inFlight -= 1;
      latency += (clock.monotonic() - startedAt - latency) / latencyMemory;
    }
  };
}
