import { type Clock, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { TimeoutError } from './errors.ts';
import type { Policy } from './policy.ts';

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
  return (next, ctx) =>
    new Promise((resolve, reject) => {
      const controller = new AbortController();
      const outer = ctx.signal;
      const give = (reason: unknown): void => {
        finish();
        controller.abort(reason);
        reject(reason);
      };
      const onAbort = (): void => give(outer.reason);
      const timer = clock.setTimeout(() => give(new TimeoutError(ms)), ms);
      const finish = (): void => {
        clock.clearTimeout(timer);
        outer.removeEventListener('abort', onAbort);
      };
      if (outer.aborted) return onAbort();
      outer.addEventListener('abort', onAbort, { once: true });
      next(ctx.derive({ signal: controller.signal, deadline: earlier(ctx.deadline, clock.monotonic() + ms) })).then(
        (value) => {
          finish();
          resolve(value);
        },
        (error: unknown) => {
          finish();
          reject(error);
        },
      );
    });
}

function earlier(deadline: number | undefined, other: number): number {
  return deadline === undefined ? other : Math.min(deadline, other);
}
