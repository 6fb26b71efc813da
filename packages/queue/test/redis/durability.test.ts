import { EventEmitter } from 'node:events';
import { startRedisCluster, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { RedisClient } from '../../src/adapters/redis/client.ts';
import { createPersist } from '../../src/adapters/redis/durability.ts';
import { slotOf } from '../../src/adapters/redis/nodes.ts';
import { readOptions } from '../../src/adapters/redis/options.ts';
import { shardOfTenant } from '../../src/adapters/redis/shards/place.ts';
import { systemClock } from '../../src/clock.ts';
import { type NewJob, type QueueStorage, StoreUnavailableError } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';

const newJob = (id: string, tenant: string): NewJob => {
  const rest = { priority: 0, delay: 0, maxAttempts: 3, cost: 0, keepResult: 0, children: 0 };
  return { id, name: 'work', payload: '{}', bytes: 2, tenant, ...rest };
};

test('a wait over another connection than that of the write proves nothing, and is an error', async () => {
  const client = Object.assign(new EventEmitter(), { call: async () => 1 }) as unknown as RedisClient & EventEmitter;
  const settings = readOptions({ client, durability: 'wait' });
  const persist = createPersist(client, settings, { waitsForDisk: false });
  await persist(['p'])();
  const written = persist(['p']);
  client.emit('close');
  await expect(written()).rejects.toThrow(StoreUnavailableError);
  await persist(['p'])();
});

test('a connection that is gone when the replicas are asked is an error that says: again', async () => {
  const call = async (): Promise<never> => Promise.reject(new Error('Connection is closed.'));
  const client = Object.assign(new EventEmitter(), { call }) as unknown as RedisClient;
  const persist = createPersist(client, readOptions({ client, durability: 'wait' }), { waitsForDisk: false });
  await expect(persist(['p'])()).rejects.toThrow(StoreUnavailableError);
});

test('many that wait at once share a question: the first is asked for one, the second for all who came meanwhile', async () => {
  const answers: (() => void)[] = [];
  const call = (): Promise<number> => new Promise((resolve) => answers.push(() => resolve(1)));
  const client = Object.assign(new EventEmitter(), { call }) as unknown as RedisClient;
  const persist = createPersist(client, readOptions({ client, durability: 'wait' }), { waitsForDisk: false });
  const waits = Array.from({ length: 10 }, () => persist(['p'])());
  expect(answers.length).toBe(1);
  answers[0]?.();
  await waits[0];
  expect(answers.length).toBe(2);
  answers[1]?.();
  await Promise.all(waits);
  expect(answers.length).toBe(2);
});

/** A server of 7.2 or later with one replica, which answers WAITAOF in this way. */
function lateServer(waitAof: () => Promise<unknown>) {
  const calls: string[] = [];
  const call = async (...words: readonly unknown[]): Promise<unknown> => {
    calls.push(words.join(' '));
    return words[0] === 'WAITAOF' ? await waitAof() : 1;
  };
  const client = Object.assign(new EventEmitter(), { call }) as unknown as RedisClient;
  const persist = createPersist(client, readOptions({ client, durability: 'wait' }), { waitsForDisk: true });
  return { calls, safe: persist(['p']) };
}

test('the disk is the server’s own, and replicas need no append-only file', async () => {
  const { calls, safe } = lateServer(async () => [1, 0]);
  await safe();
  expect(calls).toEqual(['WAITAOF 1 0 2000', 'WAIT 1 2000']);
});

test('a disk that has not got the jobs is an error; a server without an append-only file has no disk to wait for', async () => {
  await expect(lateServer(async () => [0, 0]).safe()).rejects.toThrow('0 of 1 disks');
  const refusal = 'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.';
  await lateServer(async () => Promise.reject(new Error(refusal))).safe();
});

test('in a Cluster it is the node of the job that is asked for its replicas', { timeout: 90_000 }, async () => {
  await using cluster = await startRedisCluster({ nodes: 6 });
  const client = new Cluster([...cluster.nodes], { redisOptions: { maxRetriesPerRequest: 0 } });
  client.on('error', () => undefined);
  const adapter = redisAdapter({
    client,
    shards: 8,
    durability: 'wait',
    waitTimeout: 5_000,
    onWarning: () => undefined,
  });
  const storage: QueueStorage = await adapter.open({ queue: 'safe', clock: systemClock, random: Math.random });
  const slots = await Promise.all(
    [0, 1, 2, 3, 4, 5, 6, 7].map((shard) => client.cluster('KEYSLOT', `millrace:{safe:${shard}}:q`)),
  );
  expect(slots.map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((shard) => slotOf(`millrace:{safe:${shard}}:q`)));
  const tenants = Array.from({ length: 40 }, (_, n) => `tenant-${n}`);
  const enqueue = (round: string): Promise<PromiseSettledResult<unknown>[]> =>
    Promise.allSettled(tenants.map((tenant) => storage.enqueue({ jobs: [newJob(`${round}-${tenant}`, tenant)] })));
  expect((await enqueue('all')).every(({ status }) => status === 'fulfilled')).toBe(true);

  await cluster.servers[3]?.crash();
  const masters = cluster.servers.slice(0, 3).map(({ url }) => new Redis(url));
  const replicasOf = async (node: Redis): Promise<number> =>
    Number(/connected_slaves:(\d+)/.exec(await node.info('replication'))?.[1]);
  await waitFor(async () => (await Promise.all(masters.map(replicasOf))).includes(0), {
    timeout: 20_000,
    what: 'a master without replica',
  });
  const alone = (await Promise.all(masters.map(replicasOf))).indexOf(0);
  const before = (await Promise.all(masters.map((node) => node.dbsize())))[alone];
  expect(before).toBeGreaterThan(0);
  const results = await enqueue('later');
  const refused = tenants.filter((_, index) => results[index]?.status === 'rejected');
  const range = 16_384 / 3;
  const there = tenants.filter((tenant) => Math.floor(Number(slots[shardOfTenant(tenant, 8)]) / range) === alone);
  expect(there.length).toBeGreaterThan(0);
  expect(refused).toEqual(there);
  for (const node of masters) node.disconnect();
  await adapter.close();
  client.disconnect();
});
