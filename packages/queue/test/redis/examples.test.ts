import { fileURLToPath } from 'node:url';
import { runScript, startRedis } from '@millrace/test-support';
import { expect, test } from 'vitest';

test('examples/queue/redis-handover.ts', async () => {
  await using redis = await startRedis();
  const path = fileURLToPath(new URL('../../../../examples/queue/redis-handover.ts', import.meta.url));
  const { stdout } = await runScript(path, { env: { REDIS_URL: redis.url, NODE_NO_WARNINGS: '1' } });
  expect(stdout.trim().split('\n')).toEqual(['the first worker has it', 'the second worker built millrace, attempt 1']);
});
