import { type Bench, compare } from '../result.ts';
import { type Arena, openArena } from './arena.ts';
import type { Contender } from './contender.ts';
import { measure } from './measure.ts';

async function bytesPerJob({ redis, clear }: Arena, contender: Contender, count: number): Promise<number> {
  await clear();
  // Without the buffers of connections: they are as large as the last calls were, and belong to no job.
  const used = async (): Promise<number> => {
    const info = await redis.info('memory');
    const field = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
    return field('used_memory') - field('mem_clients_normal');
  };
  const before = await used();
  await contender.enqueueBulk(count);
  return ((await used()) - before) / count;
}

/** CPU per job, not wall time: the figure must tell a deep queue from a busy machine. */
async function costAtDepth({ redis, clear, millrace }: Arena, depth: number, count: number): Promise<number> {
  await clear();
  await millrace.enqueueBulk(depth);
  return (await measure(redis, count, () => millrace.process(count, { concurrency: 50 }))).cpu;
}

/** Memory per waiting job. */
export const bytesBench: Bench = {
  metrics: ['redis.bytes'],
  run: async () => {
    await using arena = await openArena();
    const sample = 50_000;
    const ours = await bytesPerJob(arena, arena.millrace, sample);
    const bull = await bytesPerJob(arena, arena.bullmq, sample);
    return [compare('redis.bytes', ours, bull, 'BullMQ', 'bytes per waiting job')];
  },
};

/** What a deep backlog costs. */
export const depthBench: Bench = {
  metrics: ['redis.depth.1m'],
  run: async ({ quick }) => {
    await using arena = await openArena();
    const count = quick ? 60_000 : 120_000;
    const shallow = await costAtDepth(arena, count + 1_000, count);
    const deep = await costAtDepth(arena, 1_000_000, count);
    const shallowAgain = await costAtDepth(arena, count + 1_000, count);
    return [
      compare('redis.depth.1m', deep, (shallow + shallowAgain) / 2, 'no backlog', 'µs of node and Redis per job'),
    ];
  },
};
