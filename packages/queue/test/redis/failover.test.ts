import { setTimeout as sleep } from 'node:timers/promises';
import { startRedisCluster, startRedisSentinel, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { redisAdapter } from '../../src/redis.ts';
import { openMill } from '../faults/mill.ts';

const quiet = { onWarning: () => undefined };

test('a failover by Sentinel: with durability wait nothing accepted is lost', { timeout: 60_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, durability: 'wait', ...quiet }));
  const ids = await mill.enqueueAll(300);
  const worker = mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  await waitFor(() => mill.ledger.runs.size > 20);
  await sentinel.master.crash();
  await mill.untilDone(ids, 40_000);
  expect(worker.health().status).toBe('ok');
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});

test('a node of a Cluster fails: its replica takes over, the worker goes on', { timeout: 60_000 }, async () => {
  await using cluster = await startRedisCluster({ nodes: 6 });
  const client = new Cluster([...cluster.nodes], { redisOptions: { maxRetriesPerRequest: 0 } });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, ...quiet }));
  const ids = await mill.enqueueAll(300);
  await sleep(300);
  mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  await waitFor(() => mill.ledger.runs.size > 20);
  const slot = Number(await client.cluster('KEYSLOT', 'millrace:{default:0}:q'));
  await cluster.servers[Math.floor((slot * 3) / 16_384)]?.crash();
  await mill.untilDone(ids, 40_000);
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});
