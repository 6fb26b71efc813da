import {
  budget,
  bulkhead,
  type CircuitOpenError,
  circuitBreaker,
  rateLimit,
  type Store,
  systemClock,
  wrap,
} from '@millrace/ratelimit';
import { postgresStore } from '@millrace/ratelimit/postgres';
import { redisStore } from '@millrace/ratelimit/redis';
import { startPostgres, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openRedis(): Promise<Store> {
  const server = await startRedis({ own: true });
  const redis = new Redis(server.url);
  closers.push(
    () => server.stop(),
    async () => redis.disconnect(),
  );
  return redisStore({ redis });
}

async function openPostgres(): Promise<Store> {
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 8 });
  pool.on('error', () => {});
  closers.push(
    () => server.stop(),
    () => pool.end(),
  );
  const store = postgresStore({ pool });
  await store.migrate();
  return store;
}

describe.each([
  ['Redis', openRedis],
  ['PostgreSQL', openPostgres],
] as const)('a worker whose clock is wrong, on %s', (_, open) => {
  it.each([-3_600_000, 3_600_000])('by %i ms changes nothing for the others', async (wrong) => {
    const store = await open();
    const clock = { ...systemClock, now: () => Date.now() + wrong, monotonic: () => performance.now() + wrong };
    const common = { store, storeTimeout: '10s' } as const;
    const limits = [{ limit: 3, per: '1h', burst: 3 }] as const;
    const right = rateLimit({ ...common, key: 'account', limits, maxWait: 0 });
    const off = rateLimit({ ...common, key: 'account', limits, maxWait: 0, clock });
    await off.acquire();
    await right.acquire();
    await off.acquire();
    await expect(right.acquire()).rejects.toMatchObject({ code: 'ERR_RATE_LIMITED' });
    await expect(off.acquire()).rejects.toMatchObject({ code: 'ERR_RATE_LIMITED' });

    const scopes = [{ name: 'all', cap: 100, per: 'day' }] as const;
    const spend = budget({ ...common, scopes, estimate: () => 40 });
    const spendOff = budget({ ...common, scopes, estimate: () => 40, clock });
    await (await spendOff.reserve({})).settle(40);
    await spend.reserve({});
    await expect(spendOff.reserve({})).rejects.toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', spent: 40, held: 40 });
    expect((await spendOff.status())[0]?.scope).toBe((await spend.status())[0]?.scope);

    const permits = bulkhead({ ...common, limit: 1, onStoreDown: 'closed' });
    const permitsOff = bulkhead({ ...common, limit: 1, onStoreDown: 'closed', clock });
    const first = await permitsOff.acquire();
    const second = permits.acquire();
    await waitFor(() => permits.stats().waiting === 1);
    first.release();
    expect((await second).fence).toBe(first.fence + 1);
    (await second).release();

    const breaker = circuitBreaker({ ...common, openFor: '1m', minCalls: 1, clock });
    const down = Object.assign(new Error('down'), { status: 500 });
    await expect(wrap(breaker)(() => Promise.reject(down))).rejects.toBe(down);
    const other = wrap(circuitBreaker({ ...common, openFor: '1m' }));
    const refusal = await other(async () => 1).catch((error: CircuitOpenError) => error);
    expect(refusal).toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
    expect((refusal as CircuitOpenError).retryAfter).toBeLessThanOrEqual(60_000);
  });
});
