import { startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { beeQueue } from './bee-queue.ts';
import { bullmq } from './bullmq.ts';
import type { Contender } from './contender.ts';
import { type Measured, measure, median } from './measure.ts';
import { millrace } from './millrace.ts';

/** A private Redis without persistence, and the libraries that take turns on it. */
export interface Arena extends AsyncDisposable {
  readonly redis: Redis;
  readonly url: string;
  readonly millrace: Contender;
  readonly bullmq: Contender;
  readonly beeQueue: Contender;
  /** Waits for workers that are leaving, then empties the server. */
  clear(): Promise<void>;
}

export async function openArena(): Promise<Arena> {
  const server = await startRedis({ own: true });
  const redis = new Redis(server.url);
  const contenders = {
    millrace: await millrace(server.url),
    bullmq: await bullmq(server.url),
    beeQueue: await beeQueue(server.url),
  };
  await warmUp(Object.values(contenders));
  return {
    ...contenders,
    redis,
    url: server.url,
    clear: async () => {
      for (const contender of Object.values(contenders)) await contender.atRest();
      await redis.flushall();
    },
    [Symbol.asyncDispose]: async () => {
      for (const contender of Object.values(contenders)) await contender.close();
      redis.disconnect();
      await server.stop();
    },
  };
}

/** Code that the engine has not compiled yet would be measured against code that it has. */
export async function warmUp(contenders: readonly Contender[]): Promise<void> {
  for (const contender of contenders) {
    await contender.enqueueBulk(4_000);
    await contender.enqueueOne(1_000, 100);
    await contender.process(5_000, { concurrency: 50 });
  }
}

/** One thing to measure. */
export interface Trial {
  readonly count: number;
  readonly before?: () => Promise<void>;
  readonly work: () => Promise<void>;
}

/** Runs the trials in turns, `rounds` times, each on an empty server; medians. */
export async function takeTurns(arena: Arena, rounds: number, trials: readonly Trial[]): Promise<Measured[]> {
  const seen = trials.map(() => [] as Measured[]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { count, before, work }] of trials.entries()) {
      await arena.clear();
      await before?.();
      seen[index]?.push(await measure(arena.redis, count, work));
    }
  }
  return seen.map((all) => ({ rate: median(all.map(({ rate }) => rate)), cpu: median(all.map(({ cpu }) => cpu)) }));
}
