import {
  bulkhead,
  circuitBreaker,
  type RateLimitInstrumentation,
  type RateLimitOptions,
  rateLimit,
  wrap,
} from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { type RedisServer, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let server: RedisServer;
let redis: Redis;

beforeEach(async () => {
  server = await startRedis({ own: true });
  redis = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on('error', () => {});
});

afterEach(async () => {
  redis.disconnect();
  await server.resume().catch(() => {});
  await server.stop();
});

function limiter(options: Partial<RateLimitOptions> = {}) {
  const limits = [{ limit: 1_000, per: '1h', burst: 10 }] as const;
  // A connection that is still opening on a busy machine must not count as down here.
  return rateLimit({ store: redisStore({ redis }), limits, maxWait: 0, key: 'account', storeTimeout: 500, ...options });
}

describe('a Redis that hangs', () => {
  it('does not hang calls: this process goes on with its share, and comes back when Redis does', async () => {
    const seen: boolean[] = [];
    const instrumentation: RateLimitInstrumentation = { onStore: ({ available }) => seen.push(available) };
    const limit = limiter({ instrumentation });
    await limit.acquire();
    await server.pause();
    const admitted = await Promise.all(Array.from({ length: 30 }, () => limit.tryAcquire()));
    expect(admitted.filter(Boolean)).toHaveLength(10);
    expect(seen).toEqual([false]);
    await server.resume();
    await waitFor(async () => {
      await limit.tryAcquire();
      return seen.length === 2;
    });
    expect(seen).toEqual([false, true]);
  });

  it('refuses with a time to come back, or lets everything through, as told', async () => {
    const closed = limiter({ onStoreDown: 'closed' });
    const open = limiter({ onStoreDown: 'open' });
    await closed.acquire();
    await server.pause();
    await expect(closed.acquire()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    const admitted = await Promise.all(Array.from({ length: 50 }, () => open.tryAcquire()));
    expect(admitted.every(Boolean)).toBe(true);
  });

  it('a breaker goes on with what this process knows', async () => {
    const call = wrap(circuitBreaker({ store: redisStore({ redis }), minCalls: 3 }));
    await server.pause();
    const down = Object.assign(new Error('down'), { status: 500 });
    for (let i = 0; i < 3; i++) await expect(call(() => Promise.reject(down))).rejects.toBe(down);
    await expect(call(async () => 1)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  });
});

describe('a Redis that is killed and starts empty', () => {
  it('limits and permits work again without help', async () => {
    const limit = limiter({ maxWait: '5s' });
    const permits = bulkhead({ store: redisStore({ redis }), limit: 2, onStoreDown: 'closed' });
    await limit.acquire();
    const held = await permits.acquire();
    await server.crash();
    await server.restart();
    await waitFor(async () => {
      const permit = await permits.acquire();
      permit.release();
      return true;
    });
    expect(await limit.acquire()).toBeDefined();
    held.release();
    await waitFor(async () => (await redis.zcard('millrace:permit:{bulkhead%2Fdefault}:holders')) === 0);
  });
});

describe('a process that dies', () => {
  it('gives its permits back when their lease ends; nobody else’s clock matters', async () => {
    const wrongClock = {
      now: () => Date.now() + 3_600_000,
      monotonic: () => performance.now(),
      setTimeout,
      clearTimeout: (t: unknown) => clearTimeout(t as NodeJS.Timeout),
    };
    const store = redisStore({ redis });
    await store.permits.exchange('bulkhead/default', {
      limit: 1,
      leaseMs: 300,
      release: [],
      renew: [],
      acquire: [{ id: 'dead', tenant: '', weight: 1 }],
    });
    const permits = bulkhead({ store, limit: 1, clock: wrongClock });
    const permit = await permits.acquire();
    expect(permit.fence).toBeGreaterThan(1);
    permit.release();
  });
});
