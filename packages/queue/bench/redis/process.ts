import { type Bench, compare, type Result } from '../result.ts';
import { type Arena, openArena, type Trial, takeTurns, warmUp } from './arena.ts';
import type { Contender, EnqueueShape } from './contender.ts';
import { millrace } from './millrace.ts';

/** Jobs that wait already are run by one process with 50 slots. */
function trial(contender: Contender, count: number, options: { prefetch?: boolean; shape?: EnqueueShape } = {}): Trial {
  const { prefetch = false, shape = {} } = options;
  return {
    count,
    before: () => contender.enqueueBulk(count, shape),
    work: () => contender.process(count, { concurrency: 50, prefetch }),
  };
}

/**
 * Each has so many jobs that it works for about as long as the others: a second, or three. Of a tenth of that the start of a worker (connections, its
 * thread, code that is not compiled yet) would be half.
 */
async function measureAll(arena: Arena, quick: boolean): Promise<Result[]> {
  const size = quick ? 1 : 3;
  const { millrace, bullmq } = arena;
  const [strict, auto, tenants, priorities, bull] = (await takeTurns(arena, quick ? 1 : 3, [
    trial(millrace, 120_000 * size),
    trial(millrace, 240_000 * size, { prefetch: true }),
    trial(millrace, 60_000 * size, { shape: { tenants: 1_000 } }),
    trial(millrace, 120_000 * size, { shape: { priorities: 1_000 } }),
    trial(bullmq, 30_000 * size),
  ])) as [Seen, Seen, Seen, Seen, Seen];
  return [
    compare('redis.process.c50.strict', strict.rate, bull.rate, 'BullMQ', 'jobs/s'),
    compare('redis.process.c50.auto', auto.rate, bull.rate, 'BullMQ', 'jobs/s'),
    compare('redis.tenants.1k', tenants.rate, bull.rate, 'BullMQ without groups', 'jobs/s'),
    compare('redis.priorities.1k', priorities.cpu, strict.cpu, 'one priority', 'µs of node and Redis per job'),
    compare('redis.cpu', strict.cpu, bull.cpu, 'BullMQ', 'µs of node and Redis per job'),
  ];
}

type Seen = Awaited<ReturnType<typeof takeTurns>>[number];

/** What several shards cost where they gain nothing: on one server. A thousand tenants, without caps of the queue. */
export const shardsBench: Bench = {
  metrics: ['redis.shards'],
  run: async ({ quick }) => {
    await using arena = await openArena();
    const count = quick ? 60_000 : 180_000;
    const shape = { tenants: 1_000 };
    const sharded = await millrace(`${arena.url}?shards=4&prefix=sharded`);
    await warmUp([sharded]);
    const [four, one] = (await takeTurns(arena, quick ? 1 : 3, [
      trial(sharded, count, { shape }),
      trial(arena.millrace, count, { shape }),
    ])) as [Seen, Seen];
    await sharded.close();
    return [compare('redis.shards', four.cpu, one.cpu, 'one shard', 'µs of node and Redis per job')];
  },
};

/** Throughput and CPU per job. */
export const processBench: Bench = {
  metrics: [
    'redis.process.c50.strict',
    'redis.process.c50.auto',
    'redis.tenants.1k',
    'redis.priorities.1k',
    'redis.cpu',
  ],
  run: async ({ quick }) => {
    await using arena = await openArena();
    return await measureAll(arena, quick);
  },
};
