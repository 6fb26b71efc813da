import { createObservability } from '../src/index.ts';
import { type Bench, round } from './result.ts';

/** Tenants that an attacker makes up. */
const tenants = 1_000_000;

/** cardinality: heap before and after a million tenants and a million job names, and what the overflow counter says. */
export const cardinality: Bench = {
  metrics: ['cardinality.heap', 'cardinality.series', 'cardinality.overflow'],
  async run() {
    await using obs = createObservability({ service: 'bench', log: false });
    attack(obs, 0, 20_000); // everything that may grow has grown
    const before = heapUsed();
    attack(obs, 20_000, tenants);
    const grown = heapUsed() - before;
    const text = await (await obs.fetchHandler(new Request('http://localhost/metrics'))).text();
    const overflow = [...text.matchAll(/^millrace_metrics_overflow_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
    const series = Number(/^millrace_metrics_series (\d+)$/m.exec(text)?.[1]);
    return [
      line('cardinality.heap', grown / 1e6, 'MB grown by 980 000 new names'),
      line('cardinality.series', series, 'series'),
      line('cardinality.overflow', overflow, 'observations in __other__'),
    ];
  },
};

function line(metric: string, ours: number, unit: string) {
  return { metric, ours: round(ours), peer: null, peerName: null, unit, ratio: null };
}

function attack(obs: ReturnType<typeof createObservability>, from: number, to: number): void {
  for (let tenant = from; tenant < to; tenant += 1) {
    const job = { id: 'x', name: `job-${tenant}`, tenant: `tenant-${tenant}`, waitMs: 5 };
    obs.queue.onClaimed({ queue: 'q', jobs: [job], durationMs: 1 });
    obs.queue.onSettled({ queue: 'q', jobs: [{ ...job, kind: 'ack', outcome: 'applied', runMs: 1 }] });
  }
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
