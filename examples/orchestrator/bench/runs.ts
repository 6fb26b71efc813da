import { waitFor } from '@millrace/test-support';
import { atRate } from './load.ts';
import { type Bench, type BenchOptions, baselineName, percentile, type Result, rounded } from './result.ts';
import { lagOf, type RunTimes, type System, serveRepo, startBaseline, startOurs, sustained } from './systems.ts';

/** One load on one system: so many runs, begun at an even rate, whose agents sleep so many seconds. */
interface Load {
  readonly runs: number;
  readonly perSecond: number;
  readonly seconds: (index: number) => number;
}

const oneSecond = (): number => 1;
/** 1, 2, 3, 1, … seconds. */
const oneToThree = (index: number): number => 1 + (index % 3);

async function carry(system: System, load: Load): Promise<readonly RunTimes[]> {
  await using origin = await serveRepo();
  // The first run of a repository makes its mirror; both systems get one for nothing.
  await system.submit(origin.repo, 'echo warm > warm');
  await waitFor(async () => (await system.finished()).length === 1, { timeout: 30_000 });
  await atRate(load.runs, load.perSecond, (index) =>
    system.submit(origin.repo, `sleep ${load.seconds(index)}; echo ${index} > agent.txt`),
  );
  await waitFor(async () => (await system.finished()).length === load.runs + 1, { timeout: 120_000, interval: 250 });
  const times = [...(await system.finished())].sort((a, b) => a.startedAt - b.startedAt).slice(1);
  const failed = times.filter((run) => !run.succeeded).length;
  if (failed > 0) throw new Error(`${failed} of ${times.length} runs failed.`);
  return times;
}

/** Runs a minute between the first begin and the last end. */
function rateOf(times: readonly RunTimes[]): number {
  const begin = Math.min(...times.map((run) => run.startedAt));
  const end = Math.max(...times.map((run) => run.finishedAt));
  return (times.length * 60_000) / (end - begin);
}

const startOf = (times: readonly RunTimes[]): number =>
  percentile(
    times.map((run) => run.start),
    0.95,
  );

async function withBaseline(load: Load): Promise<readonly RunTimes[]> {
  await using system = await startBaseline();
  return await carry(system, load);
}

async function withOurs(concurrency: number, load: Load): Promise<readonly RunTimes[]> {
  await using system = await startOurs({ concurrency });
  return await carry(system, load);
}

function compared(metric: string, unit: string, ours: number, peer: number): Result {
  return {
    metric,
    ours: rounded(ours),
    peer: rounded(peer),
    peerName: baselineName,
    unit,
    ratio: rounded(ours / peer),
  };
}

async function rate({ quick, note }: BenchOptions): Promise<Result[]> {
  const baseline = await withBaseline({ runs: quick ? 20 : 60, perSecond: 20, seconds: oneSecond });
  const ours = await withOurs(64, { runs: quick ? 200 : 600, perSecond: 200, seconds: oneSecond });
  note(`runs.rate: lag p95 ${rounded(lagOf(ours))} ms here, ${rounded(lagOf(baseline))} ms there`);
  return [compared('runs.rate', 'runs/min', rateOf(ours), rateOf(baseline))];
}

/** The baseline gets what four places carry (runs of 2 s on average: 1.6 a second); ours gets four times that. */
async function latency({ quick }: BenchOptions): Promise<Result[]> {
  const load = 1.6;
  const seconds = quick ? 10 : 40;
  const baseline = await withBaseline({ runs: load * seconds, perSecond: load, seconds: oneToThree });
  const ours = await withOurs(64, { runs: 4 * load * seconds, perSecond: 4 * load, seconds: oneToThree });
  return [
    compared('lag.p95', 'ms', lagOf(ours), lagOf(baseline)),
    compared('start.p95', 'ms', startOf(ours), startOf(baseline)),
  ];
}

/** Agents that mostly wait, as agents that wait for a model do, so that many are under way at a time. */
async function concurrent({ quick, note }: BenchOptions): Promise<Result[]> {
  const baseline = await withBaseline({ runs: 12, perSecond: 4, seconds: () => 3 });
  let best = 0;
  for (const level of quick ? [200] : [200, 400]) {
    const seconds = quick ? 18 : 30;
    const perSecond = level / (seconds - 3);
    const ours = await withOurs(level, { runs: level, perSecond, seconds: () => seconds });
    const stable = lagOf(ours) < 1000;
    note(`runs.concurrent: ${level} offered, ${sustained(ours)} at a time, lag p95 ${rounded(lagOf(ours))} ms`);
    if (stable) best = Math.max(best, sustained(ours));
  }
  return [compared('runs.concurrent', 'runs', best, sustained(baseline))];
}

const parts: readonly (readonly [readonly string[], (options: BenchOptions) => Promise<Result[]>])[] = [
  [['runs.rate'], rate],
  [['lag.p95', 'start.p95'], latency],
  [['runs.concurrent'], concurrent],
];

/** How many runs, how fast, how soon. */
export const runs: Bench = {
  metrics: parts.flatMap(([metrics]) => metrics),
  async run(options, selected) {
    const results: Result[] = [];
    for (const [metrics, measure] of parts) if (metrics.some(selected)) results.push(...(await measure(options)));
    return results;
  },
};
