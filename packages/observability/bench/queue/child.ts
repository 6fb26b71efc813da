/** A process that runs passes of one variant of the queue bench; see `variant.ts`. */
import { createQueue, defineJob, type QueueInstrumentation } from '@millrace/queue';
import { createObservability } from '../../src/index.ts';
import type { Pass, VariantName } from './variant.ts';

const schema = { '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value }) } } as const;
const concurrency = 200;
const items = Array.from({ length: 500 }, (_, index) => ({
  name: 'n' as const,
  payload: { index },
  tenant: `t${index % 10}`,
}));

function hooks(variant: VariantName): QueueInstrumentation | undefined {
  switch (variant) {
    case 'stripped':
    case 'absent':
      return undefined;
    case 'on':
      return createObservability({ service: 'bench', log: false }).queue;
    case 'ids':
      return createObservability({ service: 'bench', log: { destination: { write: () => {} } } }).queue;
  }
}

const instrumentation = hooks(process.argv[2] as VariantName);

let left = 0;
let finish: () => void = () => {};
const queue = createQueue({
  url: 'memory:',
  jobs: [defineJob('n', schema)],
  ...(instrumentation !== undefined && { instrumentation }),
});
// One worker for all passes: starting and draining one costs as much as thousands of jobs, and not the same each time.
queue.work(
  {
    n: async () => {
      left -= 1;
      if (left === 0) finish();
    },
  },
  { concurrency },
);

/** Enqueues, claims, runs and settles jobs whose handlers do nothing, on a queue in memory. */
async function pass(jobs: number): Promise<Pass> {
  left = jobs;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  // Only where allocation is measured: a full collection also throws compiled code away.
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  const startedAt = process.hrtime.bigint();
  const before = process.cpuUsage();
  for (let sent = 0; sent < jobs; sent += items.length) await queue.enqueueMany(items);
  await finished;
  await idle();
  const { user, system } = process.cpuUsage(before);
  const wall = Number(process.hrtime.bigint() - startedAt);
  return {
    cpu: ((user + system) * 1_000) / jobs,
    wall: wall / jobs,
    bytes: (process.memoryUsage().heapUsed - heap) / jobs,
  };
}

/** Until the last acknowledgements are applied. */
async function idle(): Promise<void> {
  for (;;) {
    const { ready, delayed, leased } = await queue.inspect.counts();
    if (ready + delayed + leased === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.on('message', (jobs: number) => {
  void pass(jobs).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
