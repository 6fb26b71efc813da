import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startGitServer, startProxy, testRepos } from '@millrace/test-support';
import type { StrategyName, WorkspaceManager } from '../src/index.ts';
import { type Bench, compare, depthOne, diskOf, type Measurement, managerFor, median, type Result } from './common.ts';
import { flight, present, status } from './counts.ts';
import { fifty } from './many.ts';
import { namespace } from './namespace.ts';
import { books, churn } from './scale.ts';

/** Where to measure: folder, and ending of the metric. */
const media = {
  tmpfs: ['/dev/shm', ''],
  disk: ['/var/tmp', '.disk'],
} as const;

/** What to measure and how. */
export interface MeasureOptions {
  readonly quick: boolean;
  readonly only: readonly string[];
  /** `tmpfs`, `disk`, or both. */
  readonly media: readonly (keyof typeof media)[];
  readonly report: (result: Result) => void;
}

interface Sample {
  readonly ms: number;
  readonly bytes: number;
  readonly tree: number;
}

/** Bytes that one workspace adds below the root; the pool's members count as what they become. */
function workspaceBytes(bench: Bench, leaseId: string): number {
  return Number(
    execFileSync('du', ['-sx', '--block-size=1', join(bench.folder, 'root/workspaces', leaseId)], {
      encoding: 'utf8',
    }).split('\t')[0],
  );
}

interface Shape {
  readonly strategy: StrategyName;
  readonly sparse?: readonly string[];
}

async function takeOne(
  bench: Bench,
  manager: WorkspaceManager,
  ref: string,
  { strategy, sparse }: Shape,
  round: number,
): Promise<Sample> {
  const warm = { ref, ...(sparse ? { sparse } : {}) };
  if (strategy !== 'clone') await manager.prefetch(bench.url, { warm });
  const started = performance.now();
  const workspace = await manager.checkout({
    repo: bench.url,
    ref,
    branch: `bench/${round}`,
    strategy,
    ...(sparse ? { sparse } : {}),
  });
  const ms = performance.now() - started;
  const bytes = workspaceBytes(bench, workspace.leaseId);
  const tree = diskOf(workspace.path) - diskOf(join(workspace.path, '.git'));
  await workspace.dispose();
  return { ms, bytes, tree };
}

/** Strategy and peer take turns, so that a slow moment of the machine meets both. */
async function versus(
  bench: Bench,
  shape: Shape,
): Promise<{ readonly ours: Sample[]; readonly peer: { readonly ms: number; readonly bytes: number }[] }> {
  // Background restocking would run beside the peer: the pool is filled by `prefetch` alone.
  const strategies = shape.strategy === 'pool' ? (['pool'] as const) : (['overlay', 'clone'] as const);
  const manager = managerFor(bench, { strategies, pool: { size: 1 } });
  const { sha } = await manager.resolve({ repo: bench.url });
  const ours: Sample[] = [];
  const peer: { ms: number; bytes: number }[] = [];
  await takeOne(bench, manager, sha, shape, 0);
  for (let round = 1; round <= bench.rounds; round += 1) {
    peer.push(await depthOne(bench));
    ours.push(await takeOne(bench, manager, sha, shape, round));
  }
  await manager.close();
  return { ours, peer };
}

async function shapeResults(bench: Bench, suffix: string, name: string, shape: Shape): Promise<Result[]> {
  const { ours, peer } = await versus(bench, shape);
  const times = compare(
    `${name}.time${suffix}`,
    ours.map(({ ms }) => ms),
    peer.map(({ ms }) => ms),
    'ms',
  );
  const disk = compare(
    `${name}.disk${suffix}`,
    ours.map(({ bytes }) => bytes),
    peer.map(({ bytes }) => bytes),
    'B',
  );
  return [times, disk];
}

async function unprivileged(bench: Bench, suffix: string): Promise<Result[]> {
  const { ours, peer } = await versus(bench, { strategy: 'pool' });
  return [
    compare(
      `unprivileged.time${suffix}`,
      ours.map(({ ms }) => ms),
      peer.map(({ ms }) => ms),
      'ms',
    ),
    compare(
      `unprivileged.disk${suffix}`,
      ours.map(({ bytes }) => bytes),
      ours.map(({ tree }) => tree),
      'B',
      'the files of the tree',
    ),
  ];
}

const measurements: Readonly<Record<string, Measurement>> = {
  overlay: (bench, suffix) => shapeResults(bench, suffix, 'overlay', { strategy: 'overlay' }),
  pool: (bench, suffix) => shapeResults(bench, suffix, 'pool', { strategy: 'pool' }),
  clone: (bench, suffix) => shapeResults(bench, suffix, 'clone', { strategy: 'clone' }),
  sparse: (bench, suffix) =>
    shapeResults(bench, suffix, 'sparse', { strategy: 'clone', sparse: ['packages/vite/src/client'] }),
  unprivileged,
  namespace,
  fifty,
  status,
  present,
  flight,
  books,
  churn,
};

async function defaults(urls: readonly string[], { folder, rounds, server }: Bench, suffix: string): Promise<Result[]> {
  const ratios: { time: number; disk: number }[] = [];
  for (const [at, url] of urls.entries()) {
    const bench = { folder: mkdtempSync(join(folder, `default-${at}-`)), url, rounds, server };
    const { ours, peer } = await versus(bench, { strategy: 'overlay' });
    const ratio = (pick: (sample: { ms: number; bytes: number }) => number): number =>
      median(ours.map(pick)) / median(peer.map(pick));
    ratios.push({ time: ratio(({ ms }) => ms), disk: ratio(({ bytes }) => bytes) });
    rmSync(bench.folder, { recursive: true, force: true });
  }
  const mean = (pick: (ratio: { time: number; disk: number }) => number): number =>
    ratios.reduce((sum, ratio) => sum + pick(ratio), 0) / ratios.length;
  return (['time', 'disk'] as const).map((what) => {
    const ratio = mean((one) => one[what]);
    return {
      metric: `default.${what}${suffix}`,
      ours: ratio,
      peer: 1,
      peerName: 'git clone --depth=1, http, 20 ms (mean of got, fastify, vite)',
      unit: 'x',
      ratio,
    };
  });
}

/** Runs what was asked for, on tmpfs and on the disk. */
export async function measureAll(options: MeasureOptions): Promise<Result[]> {
  const { only, quick, report } = options;
  const wanted = (name: string): boolean =>
    only.length === 0 || only.some((prefix) => name.startsWith(prefix) || prefix.startsWith(`${name}.`));
  await using server = await startGitServer();
  await using proxy = await startProxy({ target: server.url });
  proxy.latency(10);
  const repos = await testRepos();
  const names = ['got', 'fastify', 'vite'] as const;
  const urls: string[] = [];
  for (const name of names) {
    const url = new URL(await server.createRepo(`${name}.git`, repos[name]));
    url.port = String(proxy.port);
    // The bundles name no HEAD, and the peer clones what HEAD means.
    execFileSync('git', ['symbolic-ref', 'HEAD', 'refs/heads/main'], { cwd: join(server.root, `${name}.git`) });
    urls.push(url.href);
  }
  const results: Result[] = [];
  for (const medium of options.media) {
    const [place, suffix] = media[medium];
    const folder = mkdtempSync(join(place, 'millrace-bench-'));
    const bench: Bench = { folder, url: urls[2] as string, rounds: quick ? 3 : 7, server };
    const note = (found: readonly Result[]): void => {
      for (const result of found) report(result);
      results.push(...found);
    };
    for (const [name, measure] of Object.entries(measurements)) if (wanted(name)) note(await measure(bench, suffix));
    if (wanted('default')) note(await defaults(urls, bench, suffix));
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}
