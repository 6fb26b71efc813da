import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { ExchangeRequest, NewJob, QueueStorage } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { redisOfFile } from './redis-of-file.ts';

const queue = `tenant-rows-${process.pid}`;
const redis = redisOfFile();

const job = (id: string, tenant: string): NewJob => ({
  ...{ id, tenant, name: 'work', payload: '{}', bytes: 2, priority: 0, delay: 0 },
  ...{ maxAttempts: 3, cost: 2, keepResult: 0, children: 0 },
});

function claimOf(call: number, claim: number): ExchangeRequest {
  return {
    ...{ session: 's', begin: call === 1, lease: 60_000, call, lostCalls: [], claim, housekeeping: 100, end: false },
    ...{ settle: [], extend: [], progress: [] },
  };
}

const rowOf = async (tenant: string): Promise<Buffer> =>
  (await redis.admin.hgetBuffer(`millrace:{${queue}:0}:t`, tenant)) ?? Buffer.alloc(0);

/** Reads and writes every row: alone, and together with others. */
async function passThrough(storage: QueueStorage, round: string): Promise<void> {
  const jobs = ['plain', 'paused', 'limited'].map((tenant) => job(`${tenant}-${round}`, tenant));
  await storage.enqueue({ jobs });
  for (const one of jobs) await storage.enqueue({ jobs: [{ ...one, id: `${one.id}-alone` }] });
}

test('a row keeps all that is known of a tenant, and a tenant without anything special has a short one', async () => {
  const adapter = redisAdapter({ url: redis.url, onWarning: () => undefined });
  const storage = await adapter.open({ queue, clock: systemClock, random: Math.random });
  await storage.control('pause', { tenant: 'paused' });
  const limits = { maxLeased: 1, weight: 4, budget: { units: 3, per: 3_600_000 }, rate: { limit: 1_000, per: 1_000 } };
  await storage.control('limitTenant', { tenant: 'limited', limits });
  for (const round of ['a', 'b', 'c']) await passThrough(storage, round);
  const first = await storage.exchange(claimOf(1, 50));
  // Of `limited` one, by its cap; of `paused` none; all six of `plain`.
  expect(first.claimed.map(({ tenant }) => tenant).sort()).toEqual(['limited', ...Array(6).fill('plain')]);
  await passThrough(storage, 'd');
  const { items } = await storage.control('tenants', { limit: 10 });
  expect(items).toMatchObject([
    { tenant: 'limited', ready: 7, leased: 1, paused: false, limits, spent: 2 },
    { tenant: 'paused', ready: 8, leased: 0, paused: true },
    { tenant: 'plain', ready: 2, leased: 6, paused: false },
  ]);
  expect((await rowOf('plain')).length).toBeLessThan((await rowOf('paused')).length);
  await storage.control('resume', { tenant: 'paused' });
  expect((await storage.exchange(claimOf(2, 50))).claimed).toHaveLength(10); // plain 2, paused 8
  await adapter.close();
});
