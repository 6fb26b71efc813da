import { Gauge, Histogram, Registry } from 'prom-client';
import { bucketSets, createObservability, defineMetric } from '../src/index.ts';
import { type Bench, cpuMs, median, round } from './result.ts';

const gauges = 5_000;
const histograms = 295; // 17 lines each
const own = { help: 'Bench.', advice: 'None.', labels: ['key'] } as const;

/** scrape.10k: 10 015 lines (half of them gauges, half of them histograms), as an HTTP scrape gets them. */
export const scrape: Bench = {
  metrics: ['scrape.10k.cpu', 'scrape.10k.block'],
  async run({ quick }) {
    await using obs = createObservability({ service: 'bench', log: false, metrics: { maxSeries: 10_000 } });
    const { gauge, histogram } = obs.register({
      gauge: defineMetric({ ...own, name: 'bench_depth', type: 'gauge', unit: 'count' }),
      histogram: defineMetric({
        ...own,
        name: 'bench_run_seconds',
        type: 'histogram',
        unit: 'seconds',
        buckets: 'short',
      }),
    });
    for (let key = 0; key < gauges; key += 1) gauge.set(key / 3, `key-${key}`);
    for (let key = 0; key < histograms; key += 1) histogram.observe(key / 100, `key-${key}`);
    const peer = promClient();
    const ask = async (): Promise<void> => {
      await (await obs.fetchHandler(new Request('http://localhost/metrics'))).text();
    };
    const rounds = quick ? 10 : 40;
    const times = { ours: [] as number[], peer: [] as number[], block: [] as number[] };
    for (let turn = 0; turn < rounds + 5; turn += 1) {
      const ours = await cpuMs(ask);
      const theirs = await cpuMs(() => peer.metrics());
      const block = await longestTurn(ask);
      if (turn < 5) continue;
      times.ours.push(ours);
      times.peer.push(theirs);
      times.block.push(block);
    }
    const [ours, theirs] = [median(times.ours), median(times.peer)];
    return [
      {
        metric: 'scrape.10k.cpu',
        ours: round(ours),
        peer: round(theirs),
        peerName: 'prom-client 15.1.3',
        unit: 'ms CPU',
        ratio: round(ours / theirs),
      },
      {
        metric: 'scrape.10k.block',
        ours: round(median(times.block)),
        peer: null,
        peerName: null,
        unit: 'ms CPU in one turn',
        ratio: null,
      },
    ];
  },
};

/** The most CPU time between two turns of the event loop while `work` runs: what others wait for, without what others use. */
async function longestTurn(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = process.cpuUsage();
  let running = true;
  const tick = (): void => {
    const { user, system } = process.cpuUsage(last);
    longest = Math.max(longest, (user + system) / 1_000);
    last = process.cpuUsage();
    if (running) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  tick();
  running = false;
  return longest;
}

function promClient(): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = new Gauge({ name: 'peer_depth', help: 'x', labelNames: ['key'], registers });
  const histogram = new Histogram({
    name: 'peer_seconds',
    help: 'x',
    labelNames: ['key'],
    registers,
    buckets: [...bucketSets.short],
  });
  for (let key = 0; key < gauges; key += 1) gauge.set({ key: `key-${key}` }, key / 3);
  for (let key = 0; key < histograms; key += 1) histogram.observe({ key: `key-${key}` }, key / 100);
  return registry;
}
