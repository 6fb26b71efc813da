import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { createIdempotency } from '../../src/index.ts';
import { redisStore } from '../../src/redis.ts';
import { freshRedis } from './servers.ts';

let server: Awaited<ReturnType<typeof freshRedis>>;
beforeAll(async () => {
  server = await freshRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

storeConformance({ describe, test }, { name: 'redis', open: () => redisStore({ redis: server.redis }) });

describe('redisStore', () => {
  test('opens a URL itself', async () => {
    await using idempotency = createIdempotency({ store: redisStore({ url: server.url, prefix: 'by-url' }) });
    expect(await idempotency.run({ tenant: 'a', operation: 'o', key: 'k' }, () => 1)).toMatchObject({ value: 1 });
  });

  test('goes on after the server has forgotten its scripts', async () => {
    const idempotency = createIdempotency({ store: redisStore({ redis: server.redis }), sweepInterval: false });
    await idempotency.run({ tenant: 'a', operation: 'o', key: 'before' }, () => 1);
    await server.redis.script('FLUSH');
    expect(await idempotency.run({ tenant: 'a', operation: 'o', key: 'after' }, () => 2)).toMatchObject({ value: 2 });
  });

  test('the steps that one turn asks for are one call, within bounds', async () => {
    const store = redisStore({ redis: server.redis, prefix: 'together' });
    const asking = { fingerprint: 'f', owner: 'o', onExpiredLease: 'takeover', lease: 1e6, ttl: 1e6 } as const;
    const calls = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.redis.info('commandstats'))?.[1] ?? 0);
    const begin = (key: string) => store.begin({ tenant: 'a', operation: 'o', key }, asking);
    await begin('first');
    const before = await calls();
    const begun = await Promise.all(Array.from({ length: 100 }, (_, index) => begin(`k${index % 50}`)));
    expect(begun.map(({ status }) => status)).toEqual([...Array(50).fill('acquired'), ...Array(50).fill('existing')]);
    expect((await calls()) - before).toBe(4);
    const large = 'x'.repeat(200_000);
    const completed = begun.slice(0, 4).map(({ record }) => store.complete(record, record.fence, large, 1e6));
    expect(await Promise.all(completed)).toEqual([true, true, true, true]);
    expect((await calls()) - before).toBe(8);
  });

  test('a step that fails fails alone', async () => {
    const store = redisStore({ redis: server.redis, prefix: 'alone' });
    const asking = { fingerprint: 'f', owner: 'o', onExpiredLease: 'takeover', lease: 1e6, ttl: 1e6 } as const;
    await server.redis.lpush('alone:a:o:broken', 'not a record');
    const begin = (key: string) => store.begin({ tenant: 'a', operation: 'o', key }, asking);
    const [before, broken, after] = await Promise.allSettled([begin('before'), begin('broken'), begin('after')]);
    expect([before.status, after.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(broken).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('WRONGTYPE') } });
  });

  test('keys of a prefix with pattern characters are its own', async () => {
    const odd = redisStore({ redis: server.redis, prefix: 'a*[b]' });
    const plain = redisStore({ redis: server.redis, prefix: 'axb' });
    const key = { tenant: 'acme', operation: 'o', key: 'k' };
    const request = { fingerprint: 'f', owner: 'o', onExpiredLease: 'takeover', lease: 1e6, ttl: 1e6 } as const;
    await odd.begin(key, request);
    await plain.begin(key, request);
    expect(await odd.forget('acme')).toBe(1);
    expect(await plain.read(key)).toMatchObject({ state: 'running' });
  });

  test('a record leaves Redis at its time', async () => {
    const idempotency = createIdempotency({ store: redisStore({ redis: server.redis, prefix: 'ttl' }), ttl: '1h' });
    await idempotency.run({ tenant: 'a', operation: 'o', key: 'k' }, () => 1);
    const left = await server.redis.pttl('ttl:a:o:k');
    expect(left).toBeGreaterThan(3_500_000);
    expect(left).toBeLessThanOrEqual(3_600_000);
    await idempotency.close();
  });
});
