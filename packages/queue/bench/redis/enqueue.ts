import { type Bench, compare, type Result } from '../result.ts';
import { openArena, takeTurns } from './arena.ts';
import type { Contender } from './contender.ts';

const names = { bullmq: 'BullMQ', beeQueue: 'bee-queue' } as const;

/** Jobs in a quick run: each library is busy with them for about a second. A tenth of that would measure code that is not compiled yet. */
const counts = {
  'redis.enqueue.one': { millrace: 200_000, bullmq: 50_000, beeQueue: 100_000 },
  'redis.enqueue.bulk': { millrace: 300_000, bullmq: 50_000, beeQueue: 200_000 },
} as const;

/** Enqueueing, one by one with 100 calls in flight, and in bulk. Two lines per metric: against BullMQ and against bee-queue. */
export const enqueueBench: Bench = {
  metrics: ['redis.enqueue.one', 'redis.enqueue.bulk'],
  run: async ({ quick }) => {
    await using arena = await openArena();
    const size = quick ? 1 : 3;
    const one = (who: Contender, jobs: number) => ({ count: jobs, work: () => who.enqueueOne(jobs, 100) });
    const bulk = (who: Contender, jobs: number) => ({ count: jobs, work: () => who.enqueueBulk(jobs) });
    const results: Result[] = [];
    for (const [metric, trial] of [
      ['redis.enqueue.one', one],
      ['redis.enqueue.bulk', bulk],
    ] as const) {
      const [ours, bull, bee] = await takeTurns(arena, quick ? 1 : 3, [
        trial(arena.millrace, counts[metric].millrace * size),
        trial(arena.bullmq, counts[metric].bullmq * size),
        trial(arena.beeQueue, counts[metric].beeQueue * size),
      ]);
      results.push(compare(metric, ours?.rate ?? 0, bull?.rate ?? 0, names.bullmq, 'jobs/s'));
      results.push(compare(metric, ours?.rate ?? 0, bee?.rate ?? 0, names.beeQueue, 'jobs/s'));
    }
    return results;
  },
};
