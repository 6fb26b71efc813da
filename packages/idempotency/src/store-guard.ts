import type { Clock } from './clock.ts';
import { IdempotencyError, StoreUnavailableError } from './errors.ts';
import type { IdempotencyInstrumentation } from './instrumentation.ts';

/** Runs one call to the store: bounded in time, its failure typed, its reachability reported. */
export type Guard = <T>(name: string, call: () => Promise<T>) => Promise<T>;

/** What a guard needs. */
export interface GuardOptions {
  readonly store: string;
  /** Longest time of one call (ms). */
  readonly timeout: number;
  readonly clock: Clock;
  readonly instrumentation: IdempotencyInstrumentation;
}

/** Makes the guard of one store. */
export function storeGuard({ store, timeout, clock, instrumentation }: GuardOptions): Guard {
  let available = true;
  const report = (now: boolean, error: unknown): void => {
    if (now !== available) instrumentation.onStore?.({ store, available: now, error });
    available = now;
  };
  return async (name, call) => {
    try {
      const answer = await withTimeout(clock, timeout, call);
      report(true, undefined);
      return answer;
    } catch (cause) {
      if (cause instanceof IdempotencyError) throw cause;
      report(false, cause);
      throw new StoreUnavailableError(store, name, { cause });
    }
  };
}

function withTimeout<T>(clock: Clock, timeout: number, call: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
    const settle = (settled: () => void): void => {
      clock.clearTimeout(timer);
      settled();
    };
    call().then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
