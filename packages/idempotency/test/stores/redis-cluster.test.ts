import { type RedisServer, startRedis, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { redisStore } from '../../src/redis.ts';

let servers: readonly RedisServer[] = [];
let cluster: Cluster;

beforeAll(async () => {
  servers = await Promise.all([0, 1, 2].map(() => startRedis({ own: true, args: ['--cluster-enabled', 'yes'] })));
  const nodes = servers.map((server) => new Redis(server.url));
  const slots = ['0 5460', '5461 10922', '10923 16383'];
  for (const [index, node] of nodes.entries()) {
    await node.call('CLUSTER', 'ADDSLOTSRANGE', ...(slots[index] as string).split(' '));
    await node.call('CLUSTER', 'MEET', '127.0.0.1', String(servers[0]?.port));
  }
  await waitFor(
    async () => {
      const states = await Promise.all(nodes.map((node) => node.cluster('INFO')));
      return states.every((state) => state.includes('cluster_state:ok') && state.includes('cluster_known_nodes:3'));
    },
    { timeout: 60_000 },
  );
  for (const node of nodes) node.disconnect();
  cluster = new Cluster(servers.map(({ host, port }) => ({ host, port })));
});
afterAll(async () => {
  cluster?.disconnect();
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
});

storeConformance(
  { describe, test },
  { name: 'redis cluster of three', open: () => redisStore({ redis: cluster }), schedules: 5 },
);
