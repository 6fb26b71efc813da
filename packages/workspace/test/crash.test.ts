import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StrategyName } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

/** Milliseconds. A life of a workspace in a process of its own, beside twenty processes of another file, took 32 s once. */
const slow = 120_000;

const child = join(import.meta.dirname, 'support/crash-child.ts');

function run(
  it: Fixture,
  strategy: StrategyName,
  stop: string,
): { readonly signal: string | null; readonly stdout: string } {
  const args = ['--conditions=@millrace/source', '--import', 'tsx', child, it.root, it.origin, strategy, stop];
  const { signal, stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (signal === null && status !== 0) throw new Error(stderr);
  return { signal, stdout };
}

/** An origin with an older branch, from which the default one differs little. */
function twoCommits(): Fixture {
  const it = fixture(Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`readme-${at}.md`, `${at}\n`])));
  git(it.origin, 'branch', 'older', 'main');
  it.push({ 'newer.txt': 'newer\n' });
  return it;
}

async function stepsOf(strategy: StrategyName): Promise<readonly string[]> {
  await using it = twoCommits();
  return JSON.parse(run(it, strategy, 'none').stdout) as string[];
}

async function overlayWorks(): Promise<boolean> {
  await using it = fixture();
  return (await it.manager({ strategies: ['overlay', 'clone'] }).inspect()).strategies[0]?.available === true;
}

const strategies: readonly StrategyName[] = [(await overlayWorks()) ? 'overlay' : 'clone', 'pool', 'worktree'];

describe.each(strategies)('kill -9 of a manager with strategy %s', async (strategy) => {
  const all = await stepsOf(strategy);
  // Steps that strategies share are died at once, with the first of them; `npm run test:stress` dies everywhere.
  const steps =
    strategy !== strategies[0] && process.env.MILLRACE_STRESS !== '1'
      ? all.filter((step) => (strategy === 'pool' ? /^(pool|remove)/ : /^(worktree|remove)/).test(step))
      : all;

  test('there are steps to die at', () => {
    expect(all.length).toBeGreaterThan(10);
    if (strategy === 'overlay') expect(all).toContain('template:layer-mounted');
  });

  test.each(steps)(
    'at %s: the next start leaves nothing, and the same run ends well',
    async (step) => {
      await using it = twoCommits();
      expect(run(it, strategy, step).signal).toBe('SIGKILL');
      const sweeper = it.manager({ strategies: [strategy], pool: { size: 0 } });
      await sweeper.ready();
      expectNothingLeft(it.root);
      await using workspace = await sweeper.checkout({
        repo: it.origin,
        branch: 'agent/1',
        leaseId: 'run-1',
        strategy: 'clone',
      });
      writeFileSync(join(workspace.path, 'x.txt'), 'x\n');
      const commit = await workspace.commitAll({ message: 'X', date: new Date(1_700_000_000_000) });
      await workspace.push();
      expect(git(it.origin, 'rev-parse', 'agent/1')).toBe(commit?.sha);
      expect((await workspace.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
    },
    slow,
  );
});

test('two managers on one root: the start of one does not touch the living workspaces of the other', async () => {
  await using it = fixture();
  await using mine = await it.manager().checkout({ repo: it.origin, branch: 'agent/1' });
  writeFileSync(join(mine.path, 'x.txt'), 'x\n');
  const other = it.manager();
  await other.ready();
  expect((await other.prune()).sweptLeases).toEqual([]);
  await using theirs = await other.checkout({ repo: it.origin, branch: 'agent/2' });
  expect((await mine.status()).entries).toHaveLength(1);
  expect((await theirs.status()).clean).toBe(true);
});

test('a kept workspace outlives its manager, and goes when its time is over', async () => {
  await using it = fixture();
  const first = it.manager();
  const workspace = await first.checkout({ repo: it.origin, leaseId: 'kept' });
  await workspace.keep('1h');
  await first.close();
  const second = it.manager();
  await second.ready();
  expect(execFileSync('ls', [workspace.path], { encoding: 'utf8' })).toContain('readme.md');
  const clock = {
    now: () => Date.now() + 7_200_000,
    monotonic: () => performance.now(),
    setTimeout,
    clearTimeout,
  } as never;
  const later = it.manager({ clock });
  expect((await later.prune()).sweptLeases).toEqual([]);
  await later.close();
  expectNothingLeft(it.root);
});
