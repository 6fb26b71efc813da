import { startRedis } from '@millrace/test-support';
import { afterAll, describe, it } from 'vitest';
import { describeAdapter } from '../../src/conformance.ts';
import type { QueueAdapter } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';

let redis: Awaited<ReturnType<typeof startRedis>> | undefined;

function open(): QueueAdapter {
  return redisAdapter({ url: `${redis?.url ?? ''}?shards=4`, onWarning: () => undefined });
}

describeAdapter(
  { afterAll, describe, it },
  {
    name: 'redis over 4 shards',
    create: async () => {
      redis = await startRedis();
      return open();
    },
    createSecond: open,
    destroy: async () => redis?.stop(),
  },
);
