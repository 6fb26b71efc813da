import { timingSafeEqual } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { type RateLimit, rateLimit } from '@millrace/ratelimit';
import type { Context, MiddlewareHandler } from 'hono';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import { keyDigest, principalOf } from '../tenants/keys.ts';
import { localPrincipal, type Principal, type Scope, scopes } from '../tenants/principal.ts';
import { ApiError } from './problem.ts';

/** What every route of the API finds in its context. */
export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: { principal: Principal };
}

/** Finds out on whose behalf a request is made and whether it may come so often. */
export function authenticate(config: Config, db: Kysely<Database>): MiddlewareHandler<ApiEnv> {
  const limit = rateLimit({ limits: [{ limit: config.apiRate, per: '1m' }], maxWait: 0 });
  return async (c, next) => {
    const principal =
      config.auth === 'none' ? localPrincipal : await identify(config, db, c.req.header('authorization'));
    await admit(limit, principal);
    c.set('principal', principal);
    await next();
  };
}

async function identify(config: Config, db: Kysely<Database>, header: string | undefined): Promise<Principal> {
  const key = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  if (!key) {
    throw new ApiError(
      401,
      'ERR_KEY_MISSING',
      'Send the header "Authorization: Bearer <key>" with a key of this server.',
    );
  }
  if (config.adminKey && timingSafeEqual(keyDigest(key), keyDigest(config.adminKey))) {
    return { tenantId: 'default', scopes, keyId: 'admin' };
  }
  const principal = await principalOf(db, key);
  if (principal) return principal;
  throw new ApiError(401, 'ERR_KEY_INVALID', 'The key is unknown or was revoked; ask an administrator for another.');
}

async function admit(limit: RateLimit, { keyId }: Principal): Promise<void> {
  if (await limit.tryAcquire({ key: keyId })) return;
  throw new ApiError(429, 'ERR_API_RATE', 'This key sends too many requests (API_RATE a minute); slow down.', {
    retryAfter: 1000,
  });
}

/** The caller of a request, when it may do what it asks for. @throws {ApiError} 403 otherwise */
export function callerWith(c: Context<ApiEnv>, scope: Scope): Principal {
  const principal = c.get('principal');
  if (principal.scopes.includes(scope)) return principal;
  throw new ApiError(403, 'ERR_SCOPE', `The key has not the scope ${scope}; use one that has.`);
}
