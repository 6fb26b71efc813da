import { bulkhead } from '@millrace/ratelimit';
import pLimit from 'p-limit';
import PQueue from 'p-queue';
import { interleaved } from './loop.ts';
import { type Bench, faster } from './result.ts';

const concurrency = 10;

/** Nanoseconds per call when all of them are started at once and wait in one line. */
async function batch(calls: number, run: (fn: () => Promise<number>) => Promise<unknown>): Promise<number> {
  const fn = async (): Promise<number> => 1;
  const startedAt = process.hrtime.bigint();
  await Promise.all(Array.from({ length: calls }, () => run(fn)));
  return Number(process.hrtime.bigint() - startedAt) / calls;
}

/** The local bulkhead with a long line, beside the usual libraries for concurrency. */
export const line: Bench = {
  metrics: ['line.p-limit', 'line.p-queue'],
  async run({ quick }) {
    const calls = quick ? 5_000 : 20_000;
    const permits = bulkhead({ limit: concurrency, maxWaiting: calls });
    const ctx = {};
    const times = await interleaved(5, {
      ours: () =>
        batch(calls, async (fn) => {
          const permit = await permits.acquire(ctx);
          try {
            return await fn();
          } finally {
            permit.release();
          }
        }),
      limit: () => {
        const limit = pLimit(concurrency);
        return batch(calls, (fn) => limit(fn));
      },
      queue: () => {
        const queue = new PQueue({ concurrency });
        return batch(calls, (fn) => queue.add(fn));
      },
    });
    return [
      faster('line.p-limit', times.ours, times.limit, 'p-limit', 'ns'),
      faster('line.p-queue', times.ours, times.queue, 'p-queue', 'ns'),
    ];
  },
};
