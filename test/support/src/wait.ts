import { setTimeout as sleep } from 'node:timers/promises';

/** How long and how often {@link waitFor} asks. */
export interface WaitOptions {
  /** Milliseconds after which waiting fails. @default 10_000 */
  readonly timeout?: number;
  /** Milliseconds between two questions. @default 20 */
  readonly interval?: number;
  /** What is waited for, for the error message. @default 'the condition' */
  readonly what?: string;
  readonly signal?: AbortSignal;
}

/** A condition did not come true in time; `cause` is the last error that the condition threw, if it threw. */
export class WaitTimeoutError extends Error {
  readonly code = 'ERR_TEST_WAIT_TIMEOUT' as const;
  override readonly name = 'WaitTimeoutError';
}

/**
 * Asks until the condition answers something truthy, and returns that. A condition that throws has not come true yet.
 * @throws WaitTimeoutError when the time is over.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeout = 10_000, interval = 20, what = 'the condition', signal }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      throw new WaitTimeoutError(`Waited ${timeout} ms for ${what}.`, cause === undefined ? {} : { cause });
    }
    await sleep(interval, undefined, signal ? { signal } : {});
  }
}
