import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Bench, type Measurement, managerFor, type Result } from './common.ts';

const alone = { peer: null, peerName: null, ratio: null, unit: '' };

async function atHead(
  bench: Bench,
): Promise<{ readonly manager: ReturnType<typeof managerFor>; readonly sha: string }> {
  const manager = managerFor(bench, { strategies: ['overlay', 'clone'] });
  const { sha } = await manager.resolve({ repo: bench.url });
  await manager.prefetch(bench.url, { warm: { ref: sha } });
  return { manager, sha };
}

/** Files whose stat data the first status would not find in the index, so that it would hash them; of all strategies. */
export const status: Measurement = async (bench, suffix) => {
  const { manager, sha } = await atHead(bench);
  const results: Result[] = [];
  for (const [name, strategy] of [
    ['status.rehashed', 'overlay'],
    ['status.rehashed.clone', 'clone'],
  ] as const) {
    await using workspace = await manager.checkout({ repo: bench.url, ref: sha, strategy });
    // Without a refresh before it, diff-files lists what differs by stat data alone.
    const listed = execFileSync('git', ['diff-files', '--name-only'], { cwd: workspace.path, encoding: 'utf8' });
    results.push({ metric: `${name}${suffix}`, ours: listed.split('\n').length - 1, ...alone });
  }
  await manager.close();
  return results;
};

/** Requests that reach the server while a present commit is checked out. */
export const present: Measurement = async (bench, suffix) => {
  const { manager, sha } = await atHead(bench);
  const before = (await bench.server.requests()).length;
  for (const strategy of ['overlay', 'clone'] as const)
    await (await manager.checkout({ repo: bench.url, ref: sha, strategy })).dispose();
  const ours = (await bench.server.requests()).length - before;
  await manager.close();
  return [{ metric: `present.requests${suffix}`, ours, ...alone }];
};

const child = join(import.meta.dirname, '../test/support/checkout-child.ts');

function checkoutElsewhere(root: string, url: string, ref: string): Promise<number | null> {
  return new Promise((resolve) => {
    const args = ['--conditions=@millrace/source', '--import', 'tsx', child, root, url, ref];
    spawn(process.execPath, args, { stdio: 'ignore' }).once('exit', resolve);
  });
}

/** Twenty processes want the same commit, which the mirror does not have. */
export const flight: Measurement = async (bench, suffix) => {
  const folder = mkdtempSync(join(bench.folder, 'flight-'));
  const origin = join(bench.server.root, basename(new URL(bench.url).pathname));
  const url = await bench.server.serve(`flight${suffix}`, origin);
  const served = join(bench.server.root, `flight${suffix}.git`);
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=B', '-c', 'user.email=b@example.org', ...args], {
      cwd: served,
      encoding: 'utf8',
    }).trim();
  const manager = managerFor({ ...bench, folder });
  await manager.prefetch(url);
  const next = git('commit-tree', 'refs/heads/main^{tree}', '-p', 'refs/heads/main', '-m', 'next');
  git('update-ref', 'refs/heads/main', next);
  const before = (await bench.server.requests()).length;
  const codes = await Promise.all(Array.from({ length: 20 }, () => checkoutElsewhere(join(folder, 'root'), url, next)));
  const posts = (await bench.server.requests())
    .slice(before)
    .filter(({ method, path }) => method === 'POST' && path.endsWith('git-upload-pack'));
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
  // One fetch by protocol version 2 is two POSTs: the refs, then the pack.
  return [
    { metric: `flight.fetches${suffix}`, ours: Math.ceil(posts.length / 2), ...alone },
    { metric: `flight.failures${suffix}`, ours: codes.filter((code) => code !== 0).length, ...alone },
  ];
};
