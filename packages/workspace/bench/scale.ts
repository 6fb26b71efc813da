import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StrategyName } from '../src/index.ts';
import { type Bench, compare, diskOf, managerFor, type Result } from './common.ts';

const BOOKS = 10_000;

/** Fills the books with mirrors, templates, leases and pins that a checkout has nothing to do with. */
function fillBooks(root: string): void {
  const at = (name: string): string => join(root, name);
  const key = readdirSync(at('mirrors'))[0] as string;
  const lease = JSON.parse(
    execFileSync('cat', [join(at('owners'), readdirSync(at('owners'))[0] as string)], { encoding: 'utf8' }),
  );
  const pins = join(at('mirrors'), key, 'generation-1.git/refs/millrace/pins');
  mkdirSync(pins, { recursive: true });
  const template = readdirSync(join(at('templates'), key)).find((name) => /^1-/.test(name)) as string;
  for (let number = 0; number < BOOKS; number += 1) {
    const id = number.toString(16).padStart(40, '0');
    cpSync(join(at('mirrors'), key, 'mirror.json'), join(at('mirrors'), `other-${id}`, 'mirror.json'));
    mkdirSync(join(at('templates'), key, template.replace(/[0-9a-f]{40}/, id), 'tree'), { recursive: true });
    writeFileSync(join(pins, `other-${id}`), `${template.split('-')[1]}\n`);
    const record = {
      leaseId: `other-${id}`,
      owner: lease,
      repo: 'x',
      mirrorKey: key,
      state: 'ready',
      strategy: 'clone',
      createdAt: 0,
    };
    writeFileSync(join(at('leases'), `other-${id}.json`), JSON.stringify(record));
  }
}

/** A root with a warm template; `take` gives the time of a checkout. */
async function warmRoot(
  bench: Bench,
  fill: boolean,
): Promise<{ readonly take: (strategy: StrategyName) => Promise<number>; readonly close: () => Promise<void> }> {
  const manager = managerFor(bench, { strategies: ['overlay', 'clone'] });
  const { sha } = await manager.resolve({ repo: bench.url });
  await manager.prefetch(bench.url, { warm: { ref: sha } });
  if (fill) fillBooks(join(bench.folder, 'root'));
  const take = async (strategy: StrategyName): Promise<number> => {
    const started = performance.now();
    const workspace = await manager.checkout({ repo: bench.url, ref: sha, branch: 'books/1', strategy });
    const time = performance.now() - started;
    await workspace.dispose();
    return time;
  };
  return { take, close: () => manager.close() };
}

/** Checkouts in a root with ten thousand of everything, against an empty one; they take turns. */
export async function books(bench: Bench, suffix: string): Promise<Result[]> {
  const folders = ['full', 'empty'].map((part) => join(bench.folder, `books-${part}`));
  const [full, empty] = await Promise.all(folders.map((folder, at) => warmRoot({ ...bench, folder }, at === 0)));
  const results: Result[] = [];
  for (const [name, strategy] of [
    ['books.10k', 'overlay'],
    ['books.10k.clone', 'clone'],
  ] as const) {
    const [ours, peer]: [number[], number[]] = [[], []];
    for (let round = -1; round < bench.rounds * 4; round += 1) {
      // The second of a pair finds warmer caches: they change places.
      const [first, second] = round % 2 === 0 ? [full, empty] : [empty, full];
      const times = [(await first?.take(strategy)) ?? Number.NaN, (await second?.take(strategy)) ?? Number.NaN];
      if (round % 2 !== 0) times.reverse();
      if (round < 0) continue;
      ours.push(times[0] as number);
      peer.push(times[1] as number);
    }
    results.push(compare(`${name}${suffix}`, ours, peer, 'ms', 'the same root, empty'));
  }
  await Promise.all([full?.close(), empty?.close()]);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  return results;
}

/** Less than all templates of all commits would take, so that eviction has to keep it. */
const QUOTA = 16 * 1024 * 1024;

/** A repository that changes as it is worked on: forced pushes of incompressible files. */
function changingOrigin(folder: string): { readonly origin: string; readonly change: (round: number) => void } {
  const [origin, author] = [join(folder, 'origin.git'), join(folder, 'author')];
  const environment = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: string[]): void => {
    execFileSync('git', ['-c', 'user.name=B', '-c', 'user.email=b@example.org', ...args], {
      env: environment,
      stdio: 'ignore',
    });
  };
  git('init', '--bare', '--initial-branch=main', origin);
  git('init', '--initial-branch=main', author);
  const change = (round: number): void => {
    for (const at of [0, 1, 2, 3]) {
      writeFileSync(
        join(author, `file-${(round * 4 + at) % 40}.bin`),
        Buffer.alloc(60_000, `${round}-${at}-${Math.random()}`),
      );
    }
    git('-C', author, 'add', '--all');
    git('-C', author, 'commit', '--quiet', ...(round % 3 === 2 ? ['--amend'] : []), '-m', `Round ${round}`);
    git('-C', author, 'push', '--quiet', '--force', origin, 'HEAD:refs/heads/main');
  };
  change(0);
  return { origin, change };
}

/** Disk below the root as runs come and go, new commits and prunes among them. */
export async function churn(bench: Bench, suffix: string): Promise<Result[]> {
  const folder = mkdtempSync(join(bench.folder, 'churn-'));
  const { origin, change } = changingOrigin(folder);
  const root = join(folder, 'root');
  const manager = managerFor(
    { ...bench, folder },
    { allowedProtocols: ['file'], limits: { rootBytes: QUOTA, freeBytes: 0 } },
  );
  const runs = bench.rounds > 3 ? 1000 : 200;
  const seen: number[] = [];
  let evictions = 0;
  for (let run = 1; run <= runs; run += 1) {
    if (run % 10 === 0) change(run);
    const workspace = await manager.checkout({
      repo: origin,
      branch: `churn/${run}`,
      maxAge: run % 10 === 0 ? 0 : '1h',
    });
    writeFileSync(join(workspace.path, 'work.txt'), `${run}\n`);
    await workspace.commitAll('Work');
    await workspace.dispose();
    if (run % 50 === 0) {
      const { evictedTemplates, evictedMirrors } = await manager.prune();
      evictions += evictedTemplates + evictedMirrors;
      seen.push(diskOf(root));
    }
  }
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
  const [last, most] = [seen.at(-1) as number, Math.max(...seen)];
  return [
    {
      metric: `churn.disk${suffix}`,
      ours: last,
      peer: QUOTA,
      peerName: `the quota, after ${runs} runs`,
      unit: 'B',
      ratio: last / QUOTA,
    },
    {
      metric: `churn.disk.most${suffix}`,
      ours: most,
      peer: QUOTA,
      peerName: 'the quota, at any prune',
      unit: 'B',
      ratio: most / QUOTA,
    },
    // None would mean that the quota was never reached, and the figures above prove nothing.
    { metric: `churn.evictions${suffix}`, ours: evictions, peer: null, peerName: null, unit: '', ratio: null },
  ];
}
