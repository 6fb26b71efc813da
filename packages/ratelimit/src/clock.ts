import type { CallContext } from './policy.ts';

/** The time source of every policy; tests and simulations bring their own. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only grow, from an arbitrary start; deadlines and waits use it. */
  monotonic(): number;
  /** Calls `fn` after `ms` milliseconds; the handle goes to {@link Clock.clearTimeout}. */
  setTimeout(fn: () => void, ms: number): unknown;
  /** Cancels a timer that has not fired. */
  clearTimeout(handle: unknown): void;
}

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/**
 * Waits `ms` milliseconds of `clock`, or rejects with the signal's reason as soon as the caller aborts.
 * Nothing (timer, listener) is left behind either way; a caller who cannot abort is not listened to.
 */
export function sleep(clock: Clock, ms: number, caller: Pick<CallContext, 'abortable' | 'signal'>): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!caller.abortable) return void clock.setTimeout(resolve, ms);
    const { signal } = caller;
    if (signal.aborted) return reject(signal.reason);
    const stop = (): void => {
      clock.clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = clock.setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
