import { RedisCache, RedisPeers } from './redis/cache.ts';
import { RedisCircuits } from './redis/circuits.ts';
import { gatherWrites, Keys, type RedisClient } from './redis/client.ts';
import { RedisLedger } from './redis/ledger.ts';
import { RedisPermits } from './redis/permits.ts';
import { RedisRates } from './redis/rates.ts';
import type { Store } from './store.ts';

export type { RedisClient } from './redis/client.ts';

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** The client you already have: an ioredis `Redis` or `Cluster`. It stays yours; the store never closes it. */
  readonly redis: RedisClient;
  /** Precedes every key. @default 'millrace:' */
  readonly prefix?: string;
}

/**
 * State shared through Redis 6.2 or newer. Every decision is one EVALSHA with the server's clock, on keys of one Cluster slot.
 * Leave ioredis' `enableAutoPipelining` off: calls of one tick are batched by the policies already.
 *
 * @example
 * ```ts
 * const store = redisStore({ redis: new Redis(url) });
 * const limit = rateLimit({ store, key: 'acme', limits: [{ limit: 1_000, per: '1m' }] });
 * ```
 */
export function redisStore({ redis, prefix = 'millrace:' }: RedisStoreOptions): Store {
  const keys = new Keys(prefix);
  const client = gatherWrites(redis);
  return {
    name: 'redis',
    capabilities: { shared: true },
    rates: new RedisRates(client, keys),
    permits: new RedisPermits(client, keys),
    ledger: new RedisLedger(client, keys),
    circuits: new RedisCircuits(client, keys),
    cache: new RedisCache(client, keys),
    peers: new RedisPeers(client, keys),
  };
}
