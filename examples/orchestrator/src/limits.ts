import { memoryStore, type Store } from '@millrace/ratelimit';
import { postgresStore } from '@millrace/ratelimit/postgres';
import type pg from 'pg';
import type { Closing } from './closing.ts';

/**
 * Where the processes of a deployment share limits, breakers and budgets: the database unless a URL names a Redis.
 * `memory:` shares nothing, which is right for one process only.
 */
export async function openLimits(url: string, pool: pg.Pool, closing: Closing): Promise<Store> {
  if (url.startsWith('memory:')) return memoryStore();
  if (url.startsWith('database:')) {
    const store = postgresStore({ pool });
    await store.migrate();
    return store;
  }
  const [{ Redis }, { redisStore }] = await Promise.all([import('ioredis'), import('@millrace/ratelimit/redis')]);
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  // The store's own errors tell of it; without a listener the first one would end the process.
  redis.on('error', () => {});
  closing.add('limits', async () => redis.disconnect());
  return redisStore({ redis });
}

/** What a decision in the database may take (milliseconds) before each process goes on with its share of the limits. */
export const limitsTimeout = 2_000;
