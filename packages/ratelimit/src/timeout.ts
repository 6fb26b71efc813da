import { type Clock, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { TimeoutError } from './errors.ts';
import type { CallContext, Policy } from './policy.ts';

/** Options of {@link timeout}. */
export interface TimeoutOptions {
  /** Time source. @default systemClock */
  readonly clock?: Clock;
}

/**
 * Gives up a call after a time: its signal aborts with a {@link TimeoutError} and the caller gets that error at once,
 * whether or not the called function listens.
 */
export function timeout(after: Duration, { clock = systemClock }: TimeoutOptions = {}): Policy {
  const ms = toMilliseconds(after, 'timeout');
  return (next, ctx) => {
    const limit = new TimeLimit(ctx, clock, ms);
    const inner = ctx.derive({ signal: limit.signal, deadline: earlier(ctx.deadline, clock.monotonic() + ms) });
    return limit.race(next, inner);
  };
}

/** The time limit of one call. Its signal is made only for a function that listens. */
class TimeLimit {
  readonly #outer: CallContext;
  readonly #clock: Clock;
  readonly #timer: unknown;
  readonly #ms: number;
  #controller: AbortController | undefined;
  #over = false;
  #reason: unknown;
  #reject: (reason: unknown) => void = () => {};

  constructor(outer: CallContext, clock: Clock, ms: number) {
    this.#outer = outer;
    this.#clock = clock;
    this.#ms = ms;
    this.#timer = clock.setTimeout(() => this.#give(new TimeoutError(this.#ms)), ms);
    if (!outer.abortable) return;
    if (outer.aborted) this.#give(outer.signal.reason);
    else outer.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly signal = (): AbortSignal => {
    this.#controller ??= new AbortController();
    if (this.#over) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  };

  race<T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#reason);
      this.#reject = reject;
      next(ctx).then(
        (value) => {
          this.#finish();
          resolve(value);
        },
        (error: unknown) => {
          this.#finish();
          reject(error);
        },
      );
    });
  }

  readonly #onAbort = (): void => this.#give(this.#outer.signal.reason);

  #give(reason: unknown): void {
    this.#over = true;
    this.#reason = reason;
    this.#finish();
    this.#controller?.abort(reason);
    this.#reject(reason);
  }

  #finish(): void {
    this.#clock.clearTimeout(this.#timer);
    if (this.#outer.abortable) this.#outer.signal.removeEventListener('abort', this.#onAbort);
  }
}

function earlier(deadline: number | undefined, other: number): number {
  return deadline === undefined ? other : Math.min(deadline, other);
}
