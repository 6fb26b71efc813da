import { startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { Child, sleep } from './child.ts';
import { type Bench, median, share } from './result.ts';

interface Outcome {
  /** Scripts that Redis ran per call that was admitted: at most 1, less where calls of one tick share a trip. */
  readonly trips: number;
  /** Times that a call asked for its slot: 1 where nobody has to try again. */
  readonly asks: number;
  readonly spread: number;
}

/** What a process saw while it was measured. */
export interface Report {
  readonly waits: readonly number[];
  readonly asked: number;
}

/** Script calls that Redis has run so far. */
async function scriptCalls(redis: Redis): Promise<number> {
  const info = await redis.info('commandstats');
  return [...info.matchAll(/cmdstat_(?:evalsha|eval|multi|exec):calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

async function saturate(strategy: string, ms: number): Promise<Outcome> {
  await using server = await startRedis({ own: true });
  const redis = new Redis(server.url);
  const children = Array.from({ length: 4 }, () => new Child('wait-process.ts', [server.url, strategy]));
  try {
    await Promise.all(children.map((child) => child.message()));
    await sleep(2_000);
    const before = await scriptCalls(redis);
    for (const child of children) child.tell('measure');
    await sleep(ms);
    const reports = await Promise.all(children.map((child) => child.ask<Report>('report')));
    const ran = (await scriptCalls(redis)) - before;
    const waits = reports.flatMap((report) => report.waits);
    const asked = reports.reduce((sum, report) => sum + report.asked, 0);
    return { trips: ran / waits.length, asks: asked / waits.length, spread: Math.max(...waits) / median(waits) };
  } finally {
    redis.disconnect();
    for (const child of children) await child[Symbol.asyncDispose]();
  }
}

export const wait: Bench = {
  metrics: ['wait.trips', 'wait.asks', 'wait.spread'],
  async run({ quick }) {
    const ms = quick ? 3_000 : 8_000;
    const ours = await saturate('millrace', ms);
    const peer = await saturate('peer', ms);
    const name = 'rate-limiter-flexible, sleep until msBeforeNext, try again';
    return [
      share('wait.trips', ours.trips, peer.trips, name, 'trips to Redis per admitted call'),
      share('wait.asks', ours.asks, peer.asks, name, 'tries per admitted call'),
      share('wait.spread', ours.spread, peer.spread, name, 'longest wait ÷ median wait'),
    ];
  },
};
