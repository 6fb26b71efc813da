/** The time source of a queue, its workers and of the adapters that run inside this process; simulations bring their own. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only grow, from an arbitrary start; a worker's own deadlines use it. */
  monotonic(): number;
  /** Calls `fn` after `ms` milliseconds; the handle goes to {@link Clock.clearTimeout}. */
  setTimeout(fn: () => void, ms: number): unknown;
  /** Cancels a timer that has not fired. */
  clearTimeout(handle: unknown): void;
  /** Calls `fn` when the present turn of the event loop is over: calls made in one turn are sent to the store together. @default setImmediate */
  defer?(fn: () => void): void;
}

/** {@link Clock.defer}, with its default. */
export function defer(clock: Clock, fn: () => void): void {
  if (clock.defer === undefined) setImmediate(fn);
  else clock.defer(fn);
}

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/**
 * Waits `ms` milliseconds of `clock`, or rejects with the signal's reason as soon as it aborts.
 * Nothing (timer, listener) is left behind either way.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      clock.clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
