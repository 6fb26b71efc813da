import { type Bench, compare } from '../result.ts';
import { openArena } from './arena.ts';
import { median, quantile } from './measure.ts';

/** From enqueue to the start of the handler, when a worker is idle. */
export const pickupBench: Bench = {
  metrics: ['redis.pickup.p50', 'redis.pickup.p99'],
  run: async ({ quick }) => {
    await using arena = await openArena();
    const rounds = quick ? 2 : 5;
    const ours: number[] = [];
    const bee: number[] = [];
    const bull: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const [contender, waits] of [
        [arena.millrace, ours],
        [arena.beeQueue, bee],
        [arena.bullmq, bull],
      ] as const) {
        await arena.clear();
        waits.push(...(await contender.pickup(quick ? 150 : 200)));
      }
    }
    return [
      compare('redis.pickup.p50', median(ours), median(bee), 'bee-queue', 'ms'),
      compare('redis.pickup.p50', median(ours), median(bull), 'BullMQ', 'ms'),
      compare('redis.pickup.p99', quantile(ours, 0.99), quantile(bee, 0.99), 'bee-queue', 'ms'),
      compare('redis.pickup.p99', quantile(ours, 0.99), quantile(bull, 0.99), 'BullMQ', 'ms'),
    ];
  },
};
