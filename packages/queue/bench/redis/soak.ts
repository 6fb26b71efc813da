import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createQueue, defineJob } from '@millrace/queue';
import { redisAdapter } from '@millrace/queue/redis';
import { startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { payload, range } from './contender.ts';

const work = defineJob('work', z.object({ id: z.number(), t0: z.number(), pad: z.string() }));
/** Jobs that wait at most: what is measured is the flow, not a backlog. */
const mostWaiting = 20_000;
const workers = 2;
const killEvery = 4_000;

/** What may grow when something leaks. */
interface Sample {
  readonly done: number;
  readonly redisMb: number;
  readonly connections: number;
  readonly files: number;
  readonly rssMb: number;
}

/**
 * Jobs go through Redis while worker processes are killed and replaced. Memory, connections and open files must stay flat.
 * @returns whether every job was done
 */
export async function soak(total: number): Promise<boolean> {
  const server = await startRedis({ own: true, args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
  const redis = new Redis(server.url);
  await using queue = createQueue({
    adapter: redisAdapter({ url: server.url, onWarning: () => undefined }),
    jobs: [work],
  });
  const spawn = (): ChildProcess => fork(join(import.meta.dirname, 'soak-worker.ts'), [server.url]);
  const children = Array.from({ length: workers }, spawn);
  let kills = 0;
  const killing = setInterval(() => {
    kills += 1;
    children.shift()?.kill('SIGKILL');
    children.push(spawn());
  }, killEvery);
  const samples: Sample[] = [];
  let enqueued = 0;
  const waiting = async (): Promise<number> => {
    const { ready, delayed, leased } = await queue.inspect.counts();
    return ready + delayed + leased;
  };
  while (enqueued < total) {
    if ((await waiting()) > mostWaiting) {
      await sleep(20);
      continue;
    }
    const size = Math.min(1_000, total - enqueued);
    const answers = await queue.enqueueMany(
      range(enqueued, size).map((id) => ({ name: 'work' as const, payload: payload(id) })),
    );
    enqueued += answers.filter(({ status }) => status === 'accepted').length;
    if (samples.length < (enqueued / total) * 20) samples.push(await look(redis, enqueued - (await waiting())));
  }
  while ((await waiting()) > 0) await sleep(100);
  clearInterval(killing);
  for (const child of children) child.kill('SIGKILL');
  const { dead } = await queue.inspect.counts();
  console.table(samples);
  console.log(
    JSON.stringify({ jobs: enqueued, kills, dead, left: await waiting(), first: samples[1], last: samples.at(-1) }),
  );
  redis.disconnect();
  await server.stop();
  return dead === 0;
}

async function look(redis: Redis, done: number): Promise<Sample> {
  const info = await redis.info();
  const field = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
  return {
    done,
    redisMb: Math.round(field('used_memory') / 1e5) / 10,
    connections: field('connected_clients'),
    files: readdirSync('/proc/self/fd').length,
    rssMb: Math.round(process.memoryUsage().rss / 1e6),
  };
}
