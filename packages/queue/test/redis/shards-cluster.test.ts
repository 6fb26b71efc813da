import { type RedisCluster, startRedisCluster } from '@millrace/test-support';
import { Cluster } from 'ioredis';
import { afterAll, describe, it } from 'vitest';
import { describeAdapter } from '../../src/conformance.ts';
import type { QueueAdapter } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';

let cluster: RedisCluster | undefined;
const clients: Cluster[] = [];

function open(): QueueAdapter {
  const client = new Cluster([...(cluster?.nodes ?? [])], { redisOptions: { maxRetriesPerRequest: 0 } });
  client.on('error', () => undefined);
  clients.push(client);
  return redisAdapter({ client, shards: 4, onWarning: () => undefined });
}

describeAdapter(
  { afterAll, describe, it },
  {
    name: 'a Redis Cluster with 4 shards on 3 nodes',
    create: async () => {
      cluster = await startRedisCluster({ nodes: 3 });
      return open();
    },
    createSecond: open,
    destroy: async () => {
      for (const client of clients) client.disconnect();
      await cluster?.stop();
    },
  },
);
