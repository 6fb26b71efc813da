import { startRedis } from '@millrace/test-support';
import { afterAll, beforeAll, test } from 'vitest';
import type { QueueAdapter } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { compareWithEngine, type Step } from '../twin/histories.ts';

let redis: Awaited<ReturnType<typeof startRedis>>;
let adapter: QueueAdapter;

beforeAll(async () => {
  redis = await startRedis();
  adapter = redisAdapter({ url: redis.url, prefix: `twin${process.pid}`, onWarning: () => undefined });
});
afterAll(async () => {
  await adapter.close();
  await redis.stop();
});

/**
 * A budget is looked at for the head of a class on Redis, and for the head of the tenant in the engine, so that a cheap
 * job of a lower class may pass on Redis alone (decision 0015): histories with a budget have one class.
 */
function comparable(steps: readonly Step[]): readonly Step[] {
  if (!steps.some((action) => action.do === 'limit' && action.limits.budget !== undefined)) return steps;
  return steps.map((action) => {
    if (action.do === 'enqueue') return { ...action, jobs: action.jobs.map((job) => ({ ...job, priority: 0 })) };
    if (action.do === 'flow') return { ...action, details: { ...action.details, priority: 0 } };
    return action.do === 'priority' ? { ...action, priority: 0 } : action;
  });
}

test('the scripts do what the engine does, over random histories', { timeout: 600_000 }, () =>
  compareWithEngine(adapter, comparable),
);
