import { type Clock, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { InvalidOptionError } from './errors.ts';
import type { CallContext, Policy } from './policy.ts';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';

/** Options of {@link hedge}. */
export interface HedgeOptions {
  /** Time after which a second (third …) call starts while the earlier ones still run: about the 95th percentile. */
  readonly after: Duration;
  /** Calls in all, the first one included. @default 2 */
  readonly maxCalls?: number;
  /** Bounds the extra calls to a share of all calls. @default 10 % and 1 per second */
  readonly budget?: RetryBudgetOptions;
  /** @default systemClock */
  readonly clock?: Clock;
}

/**
 * Cuts the tail of latency: a slow call is started once more, the first answer wins, the others are aborted.
 * Only for calls that may safely happen twice. ("The Tail at Scale", Dean and Barroso 2013.)
 *
 * @throws the last call's error when all fail
 */
export function hedge(options: HedgeOptions): Policy {
  const { maxCalls = 2, clock = systemClock } = options;
  const after = toMilliseconds(options.after, 'after');
  if (!(Number.isInteger(maxCalls) && maxCalls >= 2)) {
    throw new InvalidOptionError(`Expected \`maxCalls\` to be a whole number from 2 up, got ${maxCalls}.`);
  }
  const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 1, ...options.budget }, clock);
  return (next, ctx) => {
    budget.deposit();
    return race({ next, ctx, after, maxCalls, budget, clock });
  };
}

interface Race<T> {
  readonly next: (ctx: CallContext) => Promise<T>;
  readonly ctx: CallContext;
  readonly after: number;
  readonly maxCalls: number;
  readonly budget: RetryBudget;
  readonly clock: Clock;
}

function race<T>({ next, ctx, after, maxCalls, budget, clock }: Race<T>): Promise<T> {
  const loser = new AbortController();
  const controllers: AbortController[] = [];
  let running = 0;
  let timer: unknown;
  return new Promise<T>((resolve, reject) => {
    const finish = (settle: () => void, winner?: AbortController): void => {
      clock.clearTimeout(timer);
      ctx.signal.removeEventListener('abort', onAbort);
      for (const controller of controllers) if (controller !== winner) controller.abort(loser.signal.reason);
      settle();
    };
    const onAbort = (): void => {
      loser.abort(ctx.signal.reason);
      finish(() => reject(ctx.signal.reason));
    };
    const start = (): void => {
      const controller = new AbortController();
      controllers.push(controller);
      running += 1;
      if (controllers.length < maxCalls) timer = clock.setTimeout(startAnother, after);
      next(ctx.derive({ signal: controller.signal, attempt: controllers.length })).then(
        (value) => finish(() => resolve(value), controller),
        (error: unknown) => {
          running -= 1;
          if (running === 0) finish(() => reject(error));
        },
      );
    };
    const startAnother = (): void => {
      if (budget.withdraw()) start();
    };
    if (ctx.aborted) return onAbort();
    ctx.signal.addEventListener('abort', onAbort, { once: true });
    start();
  });
}
