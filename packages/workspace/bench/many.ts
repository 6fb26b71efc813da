import { type Bench, depthOne, managerFor, median, quiet, type Result, removePeers } from './common.ts';

interface Burst {
  readonly wall: number;
  readonly failures: number;
  readonly times: readonly number[];
}

const AT_ONCE = 50;

/** Bursts of checkouts of one commit, all wanted in the same moment. */
async function burst(bench: Bench, rounds: number): Promise<readonly Burst[]> {
  const manager = managerFor(bench, { strategies: ['overlay', 'clone'] });
  const { sha } = await manager.resolve({ repo: bench.url });
  await manager.prefetch(bench.url, { warm: { ref: sha } });
  const bursts: Burst[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now();
    const settled = await Promise.allSettled(
      Array.from({ length: AT_ONCE }, (_, at) =>
        manager.checkout({ repo: bench.url, ref: sha, branch: `burst/${round}-${at}` }),
      ),
    );
    const wall = performance.now() - started;
    const done = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const times = done.map(({ stats }) => stats.durationMs).sort((left, right) => left - right);
    bursts.push({ wall, failures: AT_ONCE - done.length, times });
    await Promise.all(done.map((workspace) => workspace.dispose()));
  }
  await manager.close();
  return bursts;
}

/** Fifty at once: failures of all bursts, the median burst's time, and the median of their 95th percentiles. */
export async function fifty(bench: Bench, suffix: string): Promise<Result[]> {
  const clones: number[] = [];
  for (let round = 0; round < 3; round += 1) clones.push((await depthOne(bench)).ms);
  removePeers(bench);
  await quiet(bench);
  const peer = AT_ONCE * median(clones);
  const bursts = await burst(bench, 5);
  const wall = median(bursts.map((one) => one.wall));
  const p95 = median(bursts.map(({ times }) => times[Math.ceil(times.length * 0.95) - 1] ?? Number.NaN));
  const failures = bursts.reduce((sum, one) => sum + one.failures, 0);
  const alone = { peer: null, peerName: null, ratio: null };
  return [
    { metric: `fifty.failures${suffix}`, ours: failures, unit: '', ...alone },
    {
      metric: `fifty.wall${suffix}`,
      ours: wall,
      peer,
      peerName: '50 x git clone --depth=1',
      unit: 'ms',
      ratio: wall / peer,
    },
    { metric: `fifty.overlay.p95${suffix}`, ours: p95, unit: 'ms', ...alone },
  ];
}
