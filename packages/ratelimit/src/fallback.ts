import type { CallContext, ContextChange, Policy } from './policy.ts';
import { isTransient } from './retry.ts';

/** Options of {@link fallback}. */
export interface FallbackOptions {
  /** What to change for each further try, in order: another model, another key (provider), another cost. */
  readonly to: readonly Pick<ContextChange, 'model' | 'key' | 'cost'>[];
  /** Failures that the next one may cure. @default transient failures, budgets and refusals included */
  readonly when?: (error: unknown, ctx: CallContext) => boolean;
}

/**
 * Tries the same call with another model or provider when it fails. The called function reads `ctx.model` and `ctx.key`.
 *
 * @throws the first error when every alternative fails, with the later ones as its `cause` chain untouched
 *
 * @example
 * ```ts
 * const call = wrap(fallback({ to: [{ model: 'claude-haiku' }] }), retry());
 * await call(({ model }) => ask(model), { model: 'claude-sonnet' });
 * ```
 */
export function fallback({ to, when = isTransient }: FallbackOptions): Policy {
  return async (next, ctx) => {
    let first: unknown;
    for (const change of [undefined, ...to]) {
      try {
        return await next(change === undefined ? ctx : ctx.derive(change));
      } catch (error) {
        first ??= error;
        if (ctx.aborted || !when(error, ctx)) throw error;
      }
    }
    throw first;
  };
}
