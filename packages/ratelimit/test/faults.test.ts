import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  budget,
  bulkhead,
  circuitBreaker,
  type RateLimitInstrumentation,
  type RateLimitOptions,
  rateLimit,
  responseCache,
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
  it('gives back what it held when its leases end: permits, its place in the line, money, the right to fetch', async () => {
    const child = fork(fileURLToPath(new URL('holder-child.ts', import.meta.url)), [server.url, '2000'], {
      execArgv: ['--conditions=@millrace/source', '--import', 'tsx'],
    });
    await once(child, 'message');
    const store = redisStore({ redis });
    const common = { store, storeTimeout: '10s' } as const;
    const spend = budget({ ...common, scopes: [{ name: 'all', cap: 100 }], estimate: () => 60 });
    await expect(spend.reserve({})).rejects.toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', held: 60 });
    const idle = { limit: 2, leaseMs: 2_000, release: [], renew: [], acquire: [] };
    expect(await store.permits.exchange('bulkhead/default', idle)).toMatchObject({ held: 2, waiting: 1 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const permits = bulkhead({ ...common, limit: 2, onStoreDown: 'closed' });
    const granted = await Promise.all([permits.acquire(), permits.acquire()]);
    expect(granted.map(({ fence }) => fence)).toEqual([expect.any(Number), expect.any(Number)]);
    for (const permit of granted) permit.release();
    await waitFor(async () => {
      const { held, waiting } = await store.permits.exchange('bulkhead/default', idle);
      return held + waiting === 0;
    });
    await waitFor(async () => (await spend.status())[0]?.held === 0);
    expect((await spend.status())[0]).toMatchObject({ spent: 0, held: 0 });
    const cache = responseCache({ ...common, key: ({ key }) => key });
    expect(await wrap(cache)(async () => 'answer', { key: 'question' })).toBe('answer');
  });
});
