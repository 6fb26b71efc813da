import { createQueue, defineJob, type JobDefinition, type Queue, type QueueAdapter } from '@millrace/queue';
import { z } from 'zod';

const job: JobDefinition<'work', z.ZodObject<{ id: z.ZodNumber; pad: z.ZodString }>> = defineJob(
  'work',
  z.object({ id: z.number(), pad: z.string() }),
);
const pad = 'x'.repeat(170);

/** The queue of the benches: one job with a payload of about 200 bytes. */
export type BenchQueue = Queue<readonly [typeof job]>;

/** Opens the queue on an adapter. */
export function openQueue(adapter: QueueAdapter): BenchQueue {
  return createQueue({ adapter, jobs: [job] });
}

/** Enqueues `count` jobs with calls of 1,000. */
export async function fill(queue: BenchQueue, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1_000) {
    const size = Math.min(1_000, count - from);
    await queue.enqueueMany(
      Array.from({ length: size }, (_, n) => ({ name: 'work' as const, payload: { id: from + n, pad } })),
    );
  }
}

/** Runs what waits with no-op handlers; resolves when the last has returned. */
export async function drainQueue(queue: BenchQueue, count: number, concurrency: number): Promise<void> {
  let left = count;
  const { promise, resolve } = withResolvers();
  const worker = queue.work(
    {
      work: async () => {
        left -= 1;
        if (left === 0) resolve();
      },
    },
    { concurrency },
  );
  await promise;
  await worker.drain();
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

/** Operations per second. */
export async function rate(count: number, work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (count / (performance.now() - startedAt)) * 1_000;
}
