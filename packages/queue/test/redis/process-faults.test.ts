import { type RedisServer, startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll } from 'vitest';
import { describeProcessFaults } from '../faults/processes.ts';

let redis: RedisServer | undefined;

afterAll(() => redis?.stop());

describeProcessFaults(async () => {
  redis ??= await startRedis({ own: true });
  const admin = new Redis(redis.url);
  await admin.flushall();
  admin.disconnect();
  return redis.url;
});
