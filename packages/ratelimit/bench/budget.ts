import { budget, wrap } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { Child, sleep } from './child.ts';
import { alone, type Bench } from './result.ts';

/** Racing calls of 0.90 USD (held: 1.20) on a cap, while a process that holds money too is killed. */
async function race(url: string, callers: number, cap: number): Promise<{ overspend: number; held: number }> {
  const redis = new Redis(url);
  const account = `race-${callers}`;
  const spend = budget({
    store: redisStore({ redis }),
    account,
    scopes: [{ name: 'tenant', cap }],
    estimate: () => 1_200_000,
    lease: '2s',
    storeTimeout: '10s',
  });
  await using doomed = new Child('budget-process.ts', [url, String(cap), account]);
  await doomed.message();
  const call = wrap(spend);
  const once = (): Promise<void> =>
    call(async (ctx) => {
      await sleep(Math.random() * 50);
      ctx.settle({ microUsd: 900_000 });
    }).catch(() => {});
  const racing = Promise.all(Array.from({ length: callers }, once));
  doomed.kill();
  await racing;
  await sleep(2_500);
  await Promise.all(Array.from({ length: callers }, once));
  const [status] = await spend.status();
  redis.disconnect();
  return { overspend: Math.max(0, (status?.spent ?? 0) - cap), held: status?.held ?? 0 };
}

export const budgets: Bench = {
  metrics: ['budget.overspend', 'budget.held'],
  async run() {
    await using server = await startRedis({ own: true });
    const small = await race(server.url, 20, 10_000_000);
    const large = await race(server.url, 1_000, 300_000_000);
    return [
      alone('budget.overspend', Math.max(small.overspend, large.overspend), 'micro-USD'),
      alone('budget.held', small.held + large.held, 'micro-USD'),
    ];
  },
};
