import { budget, bulkhead, type RateLimitInstrumentation, type RateLimitOptions, rateLimit } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { type RedisServer, startProxy, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let server: RedisServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
/** Reaches the same server without the delay. */
let direct: Redis;
let slow: Redis;

beforeEach(async () => {
  server = await startRedis({ own: true });
  proxy = await startProxy({ target: server.url });
  direct = new Redis(server.url);
  slow = new Redis(proxy.url);
  for (const redis of [direct, slow]) redis.on('error', () => {});
  await slow.ping();
  // The scripts are in the server's cache then: a debit and what gives it back are one trip each.
  (await observer().acquire({ key: 'warm-up' })).release();
  proxy.latency(200);
});

afterEach(async () => {
  slow.disconnect();
  direct.disconnect();
  await proxy.stop();
  await server.stop();
});

// A unit comes back by itself only after minutes.
const limits = [{ name: 'calls', limit: 10, per: '1h', burst: 10 }] as const;

function observer() {
  return rateLimit({ store: redisStore({ redis: direct }), limits, maxWait: 0, storeTimeout: '10s' });
}

function setup(options: Partial<RateLimitOptions>) {
  const seen: boolean[] = [];
  const instrumentation: RateLimitInstrumentation = { onStore: ({ available }) => seen.push(available) };
  const store = redisStore({ redis: slow });
  const limit = rateLimit({ store, limits, maxWait: 0, storeTimeout: 100, instrumentation, ...options });
  const lateAnswer = () => waitFor(() => seen.includes(true), { what: 'the late answer' });
  return { limit, lateAnswer };
}

async function remaining(): Promise<number> {
  return (await observer().stats({ key: 'account' })).remaining.calls ?? Number.NaN;
}

const call = { key: 'account' };

describe('a Redis that answers after `storeTimeout`', () => {
  it.each([
    ['open', 30],
    ['share', 10],
    ['closed', 0],
  ] as const)('is decided about as one that is down: %s admits %i of 30', async (onStoreDown, expected) => {
    const { limit, lateAnswer } = setup({ onStoreDown });
    const asked = Array.from({ length: 30 }, () =>
      limit.acquire(call).then(
        () => 'admitted',
        ({ code }: { code: string }) => code,
      ),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(expected);
    const refusal = onStoreDown === 'closed' ? 'ERR_STORE_UNAVAILABLE' : 'ERR_RATE_LIMITED';
    expect(outcomes.filter((outcome) => outcome === refusal)).toHaveLength(30 - expected);
    await lateAnswer();
    // Goes the way of what would be given back, after it.
    await slow.ping();
    // What was admitted without the store stays booked in it; what was refused does not.
    await waitFor(async () => (await remaining()) === (onStoreDown === 'closed' ? 10 : 0));
  });

  it.each([
    ['one call at a time', 1, { batch: false }],
    ['future slots', 12, { maxWait: '24h' }],
    ['calls taken ahead', 2, { lease: { max: 8 } }],
  ] as const)('gives the slots of refused calls back: %s', async (_, calls, options) => {
    const { limit, lateAnswer } = setup({ onStoreDown: 'closed', ...options });
    const refused = await Promise.allSettled(Array.from({ length: calls }, () => limit.acquire(call)));
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    await lateAnswer();
    await waitFor(async () => (await remaining()) === 10);
  });

  it('leaves no permit held', async () => {
    const seen = redisStore({ redis: direct });
    const look = { limit: 2, leaseMs: 60_000, release: [], renew: [], acquire: [] };
    const held = async () => (await seen.permits.exchange('bulkhead/default', look)).held;
    expect(await held()).toBe(0);
    const permits = bulkhead({
      store: redisStore({ redis: slow }),
      storeTimeout: 100,
      onStoreDown: 'closed',
      limit: 2,
    });
    await expect(permits.acquire()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    await waitFor(async () => (await held()) === 1, { what: 'the permit to be taken' });
    await waitFor(async () => (await held()) === 0, { what: 'the permit to be given back' });
    expect(permits.stats()).toMatchObject({ held: 0, waiting: 0 });
  });

  it('leaves no money held', async () => {
    const common = { scopes: [{ name: 'all', cap: 100 }], estimate: () => 60 } as const;
    const seen = budget({ ...common, store: redisStore({ redis: direct }), storeTimeout: '10s' });
    await (await seen.reserve({})).settle(0);
    const spend = budget({ ...common, store: redisStore({ redis: slow }), storeTimeout: 100 });
    // It knows the store's time then, and asks only for the money.
    proxy.latency(0);
    await waitFor(() => spend.status());
    proxy.latency(200);
    await expect(spend.reserve({})).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    const held = async () => (await seen.status())[0]?.held;
    await waitFor(async () => (await held()) === 60, { what: 'the money to be held' });
    await waitFor(async () => (await held()) === 0, { what: 'the money to be given back' });
  });
});
