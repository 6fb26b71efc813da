import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { StrategyName, WorkspaceManager } from '../src/index.ts';
import { type Bench, compare, depthOne, diskOf, managerFor, quiet, type Result, removePeers } from './common.ts';

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

export interface Shape {
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
  await quiet(bench);
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
  return { ms, bytes, tree };
}

/** What is measured against one and the same peer. */
const shapes: Readonly<Record<string, Shape>> = {
  overlay: { strategy: 'overlay' },
  pool: { strategy: 'pool' },
  clone: { strategy: 'clone' },
  sparse: { strategy: 'clone', sparse: ['packages/vite/src/client'] },
};

/** Names of the shapes; `unprivileged` reads the pool's samples against the floor. */
export const shapeNames: readonly string[] = [...Object.keys(shapes), 'unprivileged'];

interface Rounds {
  readonly peer: readonly { readonly ms: number; readonly bytes: number }[];
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** Strategies and peer take turns, so that a slow moment of the machine meets all. */
export async function takeTurns(bench: Bench, wanted: Readonly<Record<string, Shape>>): Promise<Rounds> {
  // Background restocking would run beside the peer: the pool is filled by `prefetch` alone.
  const [plain, pooled] = [
    managerFor(bench, { strategies: ['overlay', 'clone'] }),
    managerFor(bench, { strategies: ['pool'], pool: { size: 1 } }),
  ];
  const { sha } = await plain.resolve({ repo: bench.url });
  const peer: { ms: number; bytes: number }[] = [];
  const samples = new Map<string, Sample[]>(Object.keys(wanted).map((name) => [name, []]));
  for (let round = 0; round <= bench.rounds; round += 1) {
    if (round > 0) peer.push(await depthOne(bench));
    for (const [name, shape] of Object.entries(wanted)) {
      const manager = shape.strategy === 'pool' ? pooled : plain;
      const sample = await takeOne(bench, manager, sha, shape, round);
      if (round > 0) samples.get(name)?.push(sample);
    }
  }
  // Closing disposes all workspaces; none is removed while another one is measured, nor is any clone of the peer.
  await Promise.all([plain.close(), pooled.close()]);
  removePeers(bench);
  return { peer, samples };
}

function unprivilegedResults(suffix: string, ours: readonly Sample[], peer: Rounds['peer']): Result[] {
  const [times, clones] = [ours.map(({ ms }) => ms), peer.map(({ ms }) => ms)];
  const [bytes, trees] = [ours.map((one) => one.bytes), ours.map(({ tree }) => tree)];
  return [
    compare(`unprivileged.time${suffix}`, times, clones, 'ms'),
    compare(`unprivileged.disk${suffix}`, bytes, trees, 'B', 'the files of the tree'),
  ];
}

/** Each wanted shape against `git clone --depth=1`. */
export async function shapeResults(
  bench: Bench,
  suffix: string,
  isWanted: (name: string) => boolean,
): Promise<Result[]> {
  const chosen = Object.entries(shapes).filter(
    ([name]) => isWanted(name) || (name === 'pool' && isWanted('unprivileged')),
  );
  const { peer, samples } = await takeTurns(bench, Object.fromEntries(chosen));
  const results = [...samples].flatMap(([name, ours]) => {
    const [times, clones] = [ours.map(({ ms }) => ms), peer.map(({ ms }) => ms)];
    const [bytes, cloned] = [ours.map((one) => one.bytes), peer.map((one) => one.bytes)];
    return [
      compare(`${name}.time${suffix}`, times, clones, 'ms'),
      compare(`${name}.disk${suffix}`, bytes, cloned, 'B'),
    ];
  });
  const pool = isWanted('unprivileged') ? samples.get('pool') : undefined;
  return pool === undefined ? results : [...results, ...unprivilegedResults(suffix, pool, peer)];
}
