import { type Bench, compare, type Result } from '../result.ts';
import { openArena, takeTurns } from './arena.ts';
import type { Contender } from './contender.ts';

const names = { bullmq: 'BullMQ', beeQueue: 'bee-queue' } as const;

/** Enqueueing, one by one with 100 calls in flight, and in bulk. Two lines per metric: against BullMQ and against bee-queue. */
export const enqueueBench: Bench = {
  metrics: ['redis.enqueue.one', 'redis.enqueue.bulk'],
  run: async ({ quick }) => {
    await using arena = await openArena();
    const count = quick ? 20_000 : 50_000;
    const fewer = quick ? 8_000 : 20_000;
    const one = (who: Contender, jobs: number) => ({ count: jobs, work: () => who.enqueueOne(jobs, 100) });
    const bulk = (who: Contender, jobs: number) => ({ count: jobs, work: () => who.enqueueBulk(jobs) });
    const results: Result[] = [];
    for (const [metric, trial] of [
      ['redis.enqueue.one', one],
      ['redis.enqueue.bulk', bulk],
    ] as const) {
      const [ours, bull, bee] = await takeTurns(arena, quick ? 1 : 3, [
        trial(arena.millrace, count),
        trial(arena.bullmq, fewer),
        trial(arena.beeQueue, count),
      ]);
      results.push(compare(metric, ours?.rate ?? 0, bull?.rate ?? 0, names.bullmq, 'jobs/s'));
      results.push(compare(metric, ours?.rate ?? 0, bee?.rate ?? 0, names.beeQueue, 'jobs/s'));
    }
    return results;
  },
};
