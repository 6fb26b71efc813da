import type { Clock } from './clock.ts';

/** Something took longer than it may. */
export class TookTooLongError extends Error {
  readonly code = 'ERR_TOOK_TOO_LONG' as const;
  override readonly name = 'TookTooLongError';
}

/**
 * Runs `work` for at most `ms` milliseconds. Its signal aborts then, and the answer comes even if it does not listen.
 * @throws TookTooLongError
 */
export function withTimeout<T>(
  clock: Clock,
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimeout(() => {
      const error = new TookTooLongError(`${what} took longer than ${ms} ms.`);
      controller.abort(error);
      reject(error);
    }, ms);
    work(controller.signal)
      .then(resolve, reject)
      .finally(() => clock.clearTimeout(timer));
  });
}
