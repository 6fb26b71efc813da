import { storeTests } from '@millrace/ratelimit/conformance';
import { redisStore } from '@millrace/ratelimit/redis';
import { type RedisServer, startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis({ own: true });
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

storeTests({ describe, it }, 'redis', async () => ({
  store: redisStore({ redis }),
  advance: sleep,
  close: async () => {},
}));

describe('redis', () => {
  it('leaves no key of the tests above without an expiry', async () => {
    const keys = await redis.keys('*');
    expect(keys.length).toBeGreaterThan(10);
    const lasting = [];
    for (const key of keys) if ((await redis.pttl(key)) === -1) lasting.push(key);
    expect(lasting).toEqual([]);
  });

  it('puts all keys of an account into one Cluster slot, whatever its name', async () => {
    const store = redisStore({ redis, prefix: 'slots:' });
    const account = 'we{ird}:ä';
    const table = {
      id: account,
      account,
      scopes: ['', 'tenant={x}'],
      limits: [
        { scope: 0, interval: 1e9, burst: 1 },
        { scope: 1, interval: 1e9, burst: 1 },
      ],
      shares: [1],
      recovery: 0,
    };
    await store.rates.debit(table, [{ cost: [1, 1], maxWait: 0, share: 0, copies: 1 }]);
    const keys = await redis.keys('slots:*');
    const slots = await Promise.all(
      keys.map((key) => redis.cluster('KEYSLOT', key).catch(() => key.match(/\{(.*?)\}/)?.[1])),
    );
    expect(keys).toHaveLength(2);
    expect(new Set(slots).size).toBe(1);
  });

  it('writes to the connection once per tick, and goes on when there is none', async () => {
    const store = redisStore({ redis });
    await store.peers.beat('ticks', 'a', 1_000);
    let corks = 0;
    const stream = { cork: () => (corks += 1), uncork: () => (corks -= 1) };
    const seen: number[] = [];
    const client = (change: object) =>
      redisStore({
        redis: {
          ...change,
          evalsha: (sha, keys, ...args) => {
            seen.push(corks);
            return redis.evalsha(sha, keys, ...args);
          },
          eval: (source, keys, ...args) => redis.eval(source, keys, ...args),
          getBuffer: (key) => redis.getBuffer(key),
          set: (key, value, px, ms) => redis.set(key, value, px, ms),
          del: (key) => redis.del(key),
        },
      });
    const gathering = client({ stream });
    await Promise.all(['b', 'c', 'd'].map((id) => gathering.peers.beat('ticks', id, 1_000)));
    expect(seen).toEqual([1, 1, 1]);
    expect(corks).toBe(0);
    expect(await client({}).peers.beat('ticks', 'e', 1_000)).toBe(5);
  });

  it('survives a server that forgot its scripts, in the middle of work', async () => {
    const store = redisStore({ redis });
    expect(await store.peers.beat('g', 'a', 1_000)).toBe(1);
    await redis.script('FLUSH');
    expect(await store.peers.beat('g', 'b', 1_000)).toBe(2);
  });
});
