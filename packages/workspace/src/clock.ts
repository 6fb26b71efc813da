/** Time as a parameter. All values are milliseconds. */
export interface Clock {
  /** Wall time since the Unix epoch. */
  now(): number;
  /** Time that never jumps, from an arbitrary start. */
  monotonic(): number;
  /** Calls `fn` once after `ms`; the handle does not keep the process alive. */
  setTimeout(fn: () => void, ms: number): unknown;
  /** Forgets a handle of `setTimeout`. */
  clearTimeout(handle: unknown): void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms).unref(),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};
