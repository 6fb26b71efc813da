import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { ExchangeRequest, NewJob } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { redisOfFile } from './redis-of-file.ts';

const queue = `lease-tables-${process.pid}`;
const redis = redisOfFile();

const job = (n: number): NewJob => ({
  ...{ id: `j${n}`, name: 'work', payload: '{}', bytes: 2, tenant: `tenant-${n}`, priority: 0, delay: 0 },
  ...{ maxAttempts: 3, cost: 0, keepResult: 0, children: 0 },
});

const claimAll: ExchangeRequest = {
  ...{ session: 's', begin: true, lease: 60_000, call: 1, lostCalls: [], claim: 50, housekeeping: 100, end: false },
  ...{ settle: [], extend: [], progress: [] },
};

test('leases and tenants are kept as tables: a list would be read from its start at each look-up', async () => {
  const adapter = redisAdapter({ url: redis.url, onWarning: () => undefined });
  const storage = await adapter.open({ queue, clock: systemClock, random: Math.random });
  await storage.enqueue({ jobs: Array.from({ length: 50 }, (_, n) => job(n)) });
  const { claimed } = await storage.exchange(claimAll);
  expect(claimed).toHaveLength(50);
  const prefix = (await redis.admin.keys(`*{${queue}:0}:q`))[0]?.slice(0, -1) ?? '';
  for (const key of ['s:s', 'l', 't']) {
    expect(await redis.admin.object('ENCODING', prefix + key)).toBe('hashtable');
    expect(await redis.admin.hlen(prefix + key)).toBe(50);
  }
  await adapter.close();
});
