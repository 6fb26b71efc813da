import { startRedis, startRedisCluster, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { shardOfTenant } from '../../src/adapters/redis/shards/place.ts';
import { createQueue, defineJob } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';

const work = defineJob('work', z.object({ n: z.number() }), { backoff: () => 10 });
const quiet = { onWarning: () => undefined };

test('workers and producers see one queue: every job runs once, results come back', async () => {
  await using redis = await startRedis();
  const adapter = redisAdapter({ url: redis.url, shards: 4, prefix: `work${process.pid}`, ...quiet });
  await using queue = createQueue({
    adapter,
    jobs: [defineJob('work', z.object({ n: z.number() }), { keepResult: '1m' })],
  });
  const runs = new Map<number, number>();
  const handler = async (job: { payload: { n: number } }): Promise<number> => {
    runs.set(job.payload.n, (runs.get(job.payload.n) ?? 0) + 1);
    return job.payload.n * 2;
  };
  queue.work({ work: handler }, { concurrency: 7 });
  queue.work({ work: handler }, { concurrency: 3, prefetch: 20 });
  const handles = await Promise.all(
    Array.from({ length: 600 }, (_, n) =>
      queue.enqueue('work', { n }, { tenant: `tenant-${n % 25}`, priority: n % 3 }),
    ),
  );
  expect(await handles[17]?.result()).toBe(34);
  await waitFor(() => runs.size === 600);
  expect([...runs.values()].every((times) => times === 1)).toBe(true);
  await adapter.close();
});

test('a shard is down: the jobs of the others run, and its own when it is back', { timeout: 90_000 }, async () => {
  await using cluster = await startRedisCluster({ nodes: 3 });
  for (const { url } of cluster.servers) {
    // The rest of the Cluster serves while one node is down.
    const node = new Redis(url);
    await node.config('SET', 'cluster-require-full-coverage', 'no');
    await node.config('SET', 'appendonly', 'yes');
    node.disconnect();
  }
  const client = new Cluster([...cluster.nodes], {
    redisOptions: { maxRetriesPerRequest: 0 },
    clusterRetryStrategy: () => 50,
  });
  client.on('error', () => undefined);
  const adapter = redisAdapter({ client, shards: 6, ...quiet });
  await using queue = createQueue({ adapter, jobs: [work] });
  await queue.ready();
  const slots = await Promise.all(
    Array.from({ length: 6 }, (_, shard) => client.cluster('KEYSLOT', `millrace:{default:${shard}}:q`)),
  );
  const ownerOf = (tenant: string): number => Math.floor((Number(slots[shardOfTenant(tenant, 6)]) * 3) / 16_384);
  const tenants = Array.from({ length: 30 }, (_, n) => `tenant-${n}`);
  await Promise.all(tenants.map((tenant, n) => queue.enqueue('work', { n }, { tenant })));
  const down = ownerOf(tenants[0] as string);
  expect(new Set(tenants.map(ownerOf)).size).toBe(3);
  await cluster.servers[down]?.crash();
  const ran = new Set<string>();
  const worker = queue.work({ work: async (job) => void ran.add(job.tenant) }, { concurrency: 4 });
  const others = tenants.filter((tenant) => ownerOf(tenant) !== down);
  await waitFor(() => others.every((tenant) => ran.has(tenant)), {
    timeout: 30_000,
    what: 'the jobs of the other shards',
  });
  expect(ran.size).toBe(others.length);
  await cluster.servers[down]?.restart();
  await waitFor(() => ran.size === tenants.length, { timeout: 40_000, what: 'the jobs of the shard that is back' });
  expect(worker.health().status).toBe('ok');
  await worker.drain();
  client.disconnect();
});
