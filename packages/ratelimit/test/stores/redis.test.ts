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

  /** The store's commands through a stream that only counts. */
  const watched = (stream?: { cork(): void; uncork(): void }) =>
    redisStore({
      redis: {
        ...(stream === undefined ? {} : { stream }),
        evalsha: (sha, keys, ...args) => redis.evalsha(sha, keys, ...args),
        eval: (source, keys, ...args) => redis.eval(source, keys, ...args),
        getBuffer: (key) => redis.getBuffer(key),
        set: (key, value, px, ms) => redis.set(key, value, px, ms),
        del: (key) => redis.del(key),
      },
    });

  it.each([
    [3, 1],
    [16, 1],
    [17, 2],
    [40, 3],
  ])('hands %i commands of a tick to the connection in %i writes', async (commands, writes) => {
    const seen: string[] = [];
    const store = watched({ cork: () => seen.push('cork'), uncork: () => seen.push('uncork') });
    await Promise.all(Array.from({ length: commands }, (_, i) => store.peers.beat('ticks', `${i}`, 1_000)));
    expect(seen).toEqual(Array.from({ length: writes }, () => ['cork', 'uncork']).flat());
  });

  it('goes on without a stream', async () => {
    expect(await watched().peers.beat('streamless', 'a', 1_000)).toBe(1);
  });

  it('survives a server that forgot its scripts, in the middle of work', async () => {
    const store = redisStore({ redis });
    expect(await store.peers.beat('g', 'a', 1_000)).toBe(1);
    await redis.script('FLUSH');
    expect(await store.peers.beat('g', 'b', 1_000)).toBe(2);
  });
});
