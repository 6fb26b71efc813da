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
