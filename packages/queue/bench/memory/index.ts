import { memoryAdapter } from '@millrace/queue/memory';
import PQueue from 'p-queue';
import { type Bench, compare, median } from '../result.ts';
import { claimCostBench } from '../shared/claim-cost.ts';
import { drainQueue, fill, openQueue, rate } from '../shared/end-to-end.ts';

const concurrency = 50;

async function ours(count: number): Promise<number> {
  const queue = openQueue(memoryAdapter());
  const result = await rate(count, async () => {
    await fill(queue, count);
    await drainQueue(queue, count, concurrency);
  });
  await queue.close();
  return result;
}

async function pQueue(count: number): Promise<number> {
  const queue = new PQueue({ concurrency });
  return rate(count, async () => {
    const tasks = Array.from({ length: count }, () => queue.add(async () => undefined));
    await Promise.all(tasks);
  });
}

const processBench: Bench = {
  metrics: ['memory.process.c50'],
  run: async ({ quick }) => {
    const count = quick ? 50_000 : 200_000;
    const rates: [number[], number[]] = [[], []];
    for (let round = 0; round < 5; round += 1) {
      rates[0].push(await ours(count));
      rates[1].push(await pQueue(count));
    }
    return [compare('memory.process.c50', median(rates[0]), median(rates[1]), 'p-queue', 'jobs/s')];
  },
};

/** All measurements in memory. */
export const memoryBenches: readonly Bench[] = [
  processBench,
  claimCostBench('memory', () => ({ adapter: memoryAdapter(), close: async () => undefined })),
];
