import { createContext } from './context.ts';
import type { Call, CallContext, Policy } from './policy.ts';

/**
 * Puts policies around a call, outermost first: `wrap(retry(), timeout('10s'))` retries calls that may each take ten seconds.
 *
 * @example
 * ```ts
 * const call = wrap(retry({ maxAttempts: 4 }), timeout('10s'));
 * const response = await call(({ signal }) => fetch(url, { signal }), { tenant: 'acme' });
 * ```
 */
export function wrap(...policies: readonly Policy[]): Call {
  return (fn, init) => {
    try {
      return run(policies, 0, fn, createContext(init));
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

/** Several policies as one, outermost first, to be used inside {@link wrap}. */
export function compose(...policies: readonly Policy[]): Policy {
  return (next, ctx) => run(policies, 0, next, ctx);
}

function run<T>(
  policies: readonly Policy[],
  index: number,
  fn: (ctx: CallContext) => Promise<T>,
  ctx: CallContext,
): Promise<T> {
  const policy = policies[index];
  if (policy === undefined) return fn(ctx);
  return policy((inner) => run(policies, index + 1, fn, inner), ctx);
}
