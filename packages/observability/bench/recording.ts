import { Counter, Histogram, Registry } from 'prom-client';
import { bucketSets, createObservability, defineMetric } from '../src/index.ts';
import { type Bench, cpuMs, median, type Result, round } from './result.ts';

const batchSize = 100;
const outcomes = ['ack', 'retry'] as const;
const jobs = Array.from({ length: batchSize }, (_, index) => ({
  id: `job-${index}`,
  name: `name-${index % 4}`,
  tenant: `tenant-${index % 10}`,
  kind: outcomes[index % 2] ?? 'ack',
  outcome: 'applied' as const,
  runMs: index * 3,
  waitMs: index,
}));

const labels = { labels: ['queue', 'job_name', 'outcome'], values: { outcome: outcomes } } as const;
const common = { help: 'Bench.', advice: 'None.', ...labels } as const;

/** batch.ns: one counter and one histogram observation per job, in batches of 100; prom-client is called per job. */
export const recording: Bench = {
  metrics: ['batch.ns', 'batch.hooks.ns'],
  async run({ quick }) {
    await using obs = createObservability({ service: 'bench', log: false });
    const { counter, histogram } = obs.register({
      counter: defineMetric({ ...common, name: 'bench_jobs_total', type: 'counter', unit: 'count' }),
      histogram: defineMetric({
        ...common,
        name: 'bench_run_seconds',
        type: 'histogram',
        unit: 'seconds',
        buckets: 'short',
      }),
    });
    const peer = promClient();
    const batches = quick ? 3_000 : 20_000;
    const variants = {
      ours: (): void => {
        for (const { name, kind, runMs } of jobs) {
          counter.add(1, 'q', name, kind);
          histogram.observe(runMs / 1_000, 'q', name, kind);
        }
      },
      peer: (): void => {
        for (const { name, kind, runMs } of jobs) peer(name, kind, runMs / 1_000);
      },
      hooks: (): void => {
        obs.queue.onClaimed({ queue: 'q', jobs, durationMs: 1 });
        obs.queue.onSettled({ queue: 'q', jobs });
      },
    };
    const ns = await perJob(variants, batches, quick ? 5 : 9);
    return [result('batch.ns', ns.ours, ns.peer), result('batch.hooks.ns', ns.hooks, null)];
  },
};

function result(metric: string, ours: number, peer: number | null): Result {
  return {
    metric,
    ours: round(ours),
    peer: peer && round(peer),
    peerName: peer === null ? null : 'prom-client 15.1.3, per job',
    unit: 'ns CPU per job',
    ratio: peer && round(ours / peer),
  };
}

/** Variants take turns, so that a slow moment of the machine hits all of them; the median of the rounds counts. */
async function perJob<K extends string>(
  variants: Readonly<Record<K, () => void>>,
  batches: number,
  rounds: number,
): Promise<Record<K, number>> {
  const names = Object.keys(variants) as K[];
  const found = new Map<K, number[]>(names.map((name) => [name, []]));
  for (let turn = 0; turn <= rounds; turn += 1) {
    for (const name of names) {
      const ms = await cpuMs(() => {
        for (let batch = 0; batch < batches; batch += 1) variants[name]();
      });
      // The first turn warms the compiler.
      if (turn > 0) found.get(name)?.push((ms * 1e6) / (batches * batchSize));
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(found.get(name) ?? [])])) as Record<K, number>;
}

function promClient(): (name: string, kind: string, seconds: number) => void {
  const registers = [new Registry()];
  const labelNames = [...labels.labels];
  const counter = new Counter({ name: 'peer_jobs_total', help: 'x', labelNames, registers });
  const histogram = new Histogram({
    name: 'peer_seconds',
    help: 'x',
    labelNames,
    registers,
    buckets: [...bucketSets.short],
  });
  return (name, kind, seconds) => {
    counter.inc({ queue: 'q', job_name: name, outcome: kind });
    histogram.observe({ queue: 'q', job_name: name, outcome: kind }, seconds);
  };
}
