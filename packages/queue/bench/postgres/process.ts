import type pg from 'pg';
import type { Contender, EnqueueShape } from '../redis/contender.ts';
import { compare, type Result } from '../result.ts';
import { type Arena, openArena, type Trial, takeTurns } from './arena.ts';
import { bullmqOnPostgres } from './bullmq.ts';

/** Jobs that wait already are run by one process. */
function trial(contender: Contender, count: number, concurrency: number, shape: EnqueueShape = {}): Trial {
  return {
    count,
    before: () => contender.enqueueBulk(count, shape),
    work: () => contender.process(count, { concurrency, prefetch: true }),
  };
}

/**
 * Jobs for more than a second of each library's work, by its rate on the machine of the results: in less, the start of a worker (threads, connections,
 * their first plans) would weigh as much as the jobs. graphile-worker becomes slower the more jobs wait, so it also runs half as many, and its
 * best counts.
 */
const sizes = { millrace: 100_000, graphile: [40_000, 20_000], pgBoss: 20_000, bullmq: 1_500 } as const;

/** Throughput and CPU per job; the same with 1,000 priorities. */
export async function measureProcess(quick: boolean): Promise<Result[]> {
  await using arena = await openArena();
  const { millrace, graphile, pgBoss } = arena;
  const bullmq = await arena.join(bullmqOnPostgres);
  const [c200, c50, priorities, boss, bull, ...peers] = (await takeTurns(arena, quick ? 1 : 3, [
    trial(millrace, sizes.millrace, 200),
    trial(millrace, sizes.millrace, 50),
    trial(millrace, sizes.millrace, 50, { priorities: 1_000 }),
    trial(pgBoss, sizes.pgBoss, 200),
    trial(bullmq, sizes.bullmq, 200),
    ...sizes.graphile.flatMap((count) => [trial(graphile, count, 200), trial(graphile, count, 50)]),
  ])) as [Seen, Seen, Seen, Seen, Seen, ...Seen[]];
  const best = Math.max(...peers.map(({ rate }) => rate));
  const least = Math.min(...peers.map(({ cpu }) => cpu));
  return [
    compare('postgres.process.c200', c200.rate, best, 'graphile-worker, its best', 'jobs/s'),
    compare('postgres.process.c200', c200.rate, boss.rate, 'pg-boss', 'jobs/s'),
    compare('postgres.process.c200', c200.rate, bull.rate, 'BullMQ on PostgreSQL', 'jobs/s'),
    compare('postgres.cpu', c50.cpu, least, 'graphile-worker, its least', 'µs of node and PostgreSQL per job'),
    compare('postgres.priorities.1k', priorities.cpu, c50.cpu, 'one priority', 'µs of node and PostgreSQL per job'),
  ];
}

type Seen = Awaited<ReturnType<typeof takeTurns>>[number];

/** CPU per job with a deep backlog, and while a transaction that was forgotten keeps dead rows alive. */
export async function measureDepth(quick: boolean): Promise<Result[]> {
  await using arena = await openArena();
  const count = quick ? 20_000 : 50_000;
  const shallow = await costAt(arena, count, count);
  const deep = await costAt(arena, quick ? 300_000 : 1_000_000, count);
  const jobs = quick ? 50_000 : 200_000;
  const free = await costAt(arena, jobs, jobs);
  const pinned = await whilePinned(arena.database, () => costAt(arena, jobs, jobs));
  return [
    compare('postgres.depth.1m', deep, shallow, 'no backlog', 'µs of node and PostgreSQL per job'),
    compare('postgres.pinned', pinned, free, 'no idle transaction', 'µs of node and PostgreSQL per job'),
  ];
}

/** Runs `work` beside a transaction that was forgotten: it keeps every dead row from being vacuumed. */
async function whilePinned<T>(database: pg.Pool, work: () => Promise<T>): Promise<T> {
  const idle = await database.connect();
  try {
    await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await idle.query('SELECT count(*) FROM millrace.state');
    return await work();
  } finally {
    // A client that is not given back would keep the arena from closing, and hide what went wrong.
    await idle.query('ROLLBACK');
    idle.release();
  }
}

async function costAt({ clear, measure, millrace }: Arena, depth: number, count: number): Promise<number> {
  await clear();
  await millrace.enqueueBulk(depth);
  return (await measure(count, () => millrace.process(count, { concurrency: 50, prefetch: true }))).cpu;
}
