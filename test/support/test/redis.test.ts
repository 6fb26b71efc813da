import { startRedis, startRedisCluster, startRedisSentinel, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { expect, test } from 'vitest';

test('a persistent server keeps its data over a crash, a plain one does not', async () => {
  for (const persistent of [true, false]) {
    await using server = await startRedis({ own: true, persistent });
    const client = new Redis(server.url);
    client.on('error', () => {});
    await client.set('key', 'value');
    await server.crash();
    await server.restart();
    expect(await client.get('key')).toBe(persistent ? 'value' : null);
    client.disconnect();
  }
});

test('a cluster serves every slot and fails over to a replica', async () => {
  await using cluster = await startRedisCluster({ nodes: 6 });
  const client = new Cluster([...cluster.nodes], { clusterRetryStrategy: () => 50 });
  client.on('error', () => {});
  const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`);
  await Promise.all(keys.map((key) => client.set(key, key)));
  await client.wait(1, 1_000);
  await cluster.servers[0]?.crash();
  await waitFor(async () => (await client.cluster('INFO')) && (await client.set('{a}after', 'x')), { timeout: 20_000 });
  await waitFor(async () => (await Promise.all(keys.map((key) => client.get(key)))).every(Boolean), {
    timeout: 20_000,
  });
  client.disconnect();
});

test('sentinels name a new master when the old one crashes', async () => {
  await using group = await startRedisSentinel();
  expect(await group.masterPort()).toBe(group.master.port);
  await group.master.crash();
  await waitFor(async () => (await group.masterPort()) === group.replica.port, { timeout: 25_000 });
});
