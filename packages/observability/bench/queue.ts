import { createQueue, defineJob, type QueueInstrumentation } from '@millrace/queue';
import { createObservability, type Observability } from '../src/index.ts';
import { type Bench, cpuMs, median, type Result, round } from './result.ts';

const schema = { '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value }) } } as const;
const concurrency = 200;

/**
 * off.cost and on.cost: a real queue in memory, at full speed, with handlers that do nothing, which is where instrumentation
 * weighs most. Variants take turns; compared is CPU time per job, which a busy machine changes less than throughput.
 */
export const queue: Bench = {
  metrics: ['off.cost', 'on.cost', 'on.cost.ids'],
  async run({ quick }) {
    const jobs = quick ? 4_000 : 20_000;
    const rounds = quick ? 7 : 15;
    await using plain = createObservability({ service: 'bench', log: false });
    await using withIds = createObservability({ service: 'bench', log: { level: 'silent' } });
    const found = new Map<string, number[]>();
    const pass = async (name: string, instrumentation: QueueInstrumentation | undefined): Promise<void> => {
      const ms = await once(instrumentation, jobs);
      found.set(name, [...(found.get(name) ?? []), (ms * 1e6) / jobs]);
    };
    for (let turn = 0; turn <= rounds; turn += 1) {
      if (turn === 1) found.clear(); // the first turn warms the compiler
      await pass('absent', undefined);
      await pass('empty', {});
      await pass('on', hooks(plain));
    }
    // Ids use AsyncLocalStorage, which slows every promise of the process from its first use on: measured last, with a base of its own.
    for (let turn = 0; turn <= rounds; turn += 1) await pass('ids', hooks(withIds));
    const absent = median(found.get('absent') ?? []);
    return [
      cost('off.cost', median(found.get('empty') ?? []), absent, 'no hooks given'),
      cost('on.cost', median(found.get('on') ?? []), absent, 'instrumentation absent'),
      cost('on.cost.ids', median(found.get('ids') ?? []), absent, 'instrumentation absent'),
    ];
  },
};

function hooks(obs: Observability): QueueInstrumentation {
  return obs.queue;
}

function cost(metric: string, ours: number, peer: number, peerName: string): Result {
  return { metric, ours: round(ours), peer: round(peer), peerName, unit: 'ns CPU per job', ratio: round(ours / peer) };
}

/** CPU time in milliseconds to enqueue, claim, run and settle all jobs. */
async function once(instrumentation: QueueInstrumentation | undefined, jobs: number): Promise<number> {
  await using bench = createQueue({
    url: 'memory:',
    jobs: [defineJob('n', schema)],
    ...(instrumentation !== undefined && { instrumentation }),
  });
  let left = jobs;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const items = Array.from({ length: 500 }, (_, index) => ({
    name: 'n' as const,
    payload: { index },
    tenant: `t${index % 10}`,
  }));
  // Awaited here: the queue must live until the work is done.
  return await cpuMs(async () => {
    for (let sent = 0; sent < jobs; sent += items.length) await bench.enqueueMany(items);
    const handler = async (): Promise<void> => {
      left -= 1;
      if (left === 0) finish();
    };
    const worker = bench.work({ n: handler }, { concurrency });
    await finished;
    await worker.drain();
  });
}
