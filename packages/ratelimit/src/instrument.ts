import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { CallContext, Policy } from './policy.ts';

/**
 * Runs the instrumentation's `aroundCall` around what it wraps: outermost for whole calls, innermost for single attempts.
 *
 * @param name - what is called, e.g. `anthropic`
 */
export function instrument(name: string, instrumentation: RateLimitInstrumentation | undefined): Policy {
  if (instrumentation?.aroundCall === undefined) return (next, ctx) => next(ctx);
  return (next, ctx) => instrumentation.aroundCall?.(describe(name, ctx), () => next(ctx)) ?? next(ctx);
}

function describe(
  name: string,
  { key, tenant, run, model, attempt, traceparent }: CallContext,
): Parameters<NonNullable<RateLimitInstrumentation['aroundCall']>>[0] {
  return { name, key, tenant, run, model, attempt, traceparent };
}
