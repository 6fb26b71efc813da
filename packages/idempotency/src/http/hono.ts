import { protect } from './fetch.ts';
import { type HttpOptions, httpSettings } from './options.ts';

/** The part of a Hono context that is used. */
export interface HonoContextLike {
  readonly req: { readonly raw: Request };
  res: Response;
}

/** A Hono middleware. */
export type HonoMiddleware<C> = (context: C, next: () => Promise<void>) => Promise<void>;

/**
 * Idempotency for Hono. `tenant`, `operation` and `policy` get Hono's context; `executionOf` takes `c.req.raw`.
 *
 * @example
 * ```ts
 * app.use('/v1/*', honoIdempotency({ idempotency, tenant: (c) => c.get('tenant') }));
 * ```
 * @throws InvalidOptionError, InvalidDurationError
 */
export function honoIdempotency<C extends HonoContextLike, Tx = undefined>(
  options: HttpOptions<C, Tx>,
): HonoMiddleware<C> {
  const settings = httpSettings(options);
  return async (context, next) => {
    const response = await protect(settings, context, context.req.raw, async () => {
      await next();
      return context.res;
    });
    // Hono merges the headers of the response that was there into one that is set: a cookie of the handler must not get into a 409.
    context.res = undefined as unknown as Response;
    context.res = response;
  };
}
