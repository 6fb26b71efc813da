import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Clock, WorkspaceManager } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

/** The machine's time, some days later. */
function later(days: number): Clock {
  return {
    now: () => Date.now() + days * DAY,
    monotonic: () => performance.now(),
    setTimeout: (fn, ms) => setTimeout(fn, ms).unref(),
    clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
  };
}

function generations(it: Fixture): string[] {
  const mirrors = join(it.root, 'mirrors');
  const folder = join(mirrors, readdirSync(mirrors)[0] as string);
  return readdirSync(folder)
    .filter((name) => name.startsWith('generation'))
    .map((name) => join(folder, name));
}

function endings(generation: string): Set<string> {
  return new Set(readdirSync(join(generation, 'objects/pack')).map((name) => name.replace(/^.*\./, '')));
}

/** A commit on a branch that is deleted again; returns its id. */
async function abandon(it: Fixture, manager: WorkspaceManager, text: string): Promise<string> {
  const main = git(it.author, 'rev-parse', 'HEAD');
  const gone = it.push({ 'gone.txt': text }, 'doomed');
  await manager.prefetch(it.origin);
  git(it.origin, 'update-ref', '-d', 'refs/heads/doomed');
  git(it.author, 'reset', '--quiet', '--hard', main);
  await manager.prefetch(it.origin);
  return gone;
}

test('after a week garbage lies in a cruft pack, where it is kept and no longer borrowed', async () => {
  await using it = fixture();
  const manager = it.manager({ strategies: ['clone'] });
  const gone = await abandon(it, manager, 'only a deleted branch has this\n');
  await using before = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
  writeFileSync(join(before.path, 'same.txt'), 'only a deleted branch has this\n');
  await before.exec('sh', ['-c', 'git add -A && git commit -qm same']);
  const caretaker = it.manager({ clock: later(8) });
  await caretaker.prune();
  const [mirror = ''] = generations(it);
  expect(endings(mirror)).toEqual(new Set(['multi-pack-index', 'pack', 'idx', 'mtimes', 'bitmap']));
  expect(readdirSync(join(mirror, 'objects/info'))).toContain('commit-graph');
  expect(git(mirror, '--git-dir=.', 'cat-file', '-t', gone)).toBe('commit');
  expect((await before.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
  expect((await before.push()).status).toBe('pushed');
  // git copies what it finds in a cruft pack into the store of the agent.
  await using after = await manager.checkout({ repo: it.origin, branch: 'agent/2' });
  writeFileSync(join(after.path, 'same.txt'), 'only a deleted branch has this\n');
  await after.exec('git', ['add', '-A']);
  expect((await after.exec('git', ['count-objects'])).stdout).toMatch(/^1 objects/);
});

test('garbage that outweighs the rest stays behind with the old generation, which goes with its last borrower', async () => {
  await using it = fixture();
  const manager = it.manager({ strategies: ['clone'] });
  await using old = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
  await abandon(it, manager, randomBytes(4 * 1024 * 1024).toString('latin1'));
  const caretaker = it.manager({ clock: later(8) });
  await caretaker.prune();
  expect(generations(it).map((path) => path.at(-5))).toEqual(['1', '2']);
  expect((await old.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
  await using next = await manager.checkout({ repo: it.origin, branch: 'agent/2' });
  expect(next.base).toBe(old.base);
  expect((await next.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
  await old.dispose();
  await manager.prune();
  expect(generations(it).map((path) => path.at(-5))).toEqual(['2']);
  expect((await next.exec('git', ['log', '--format=%s'])).stdout).toBe('change\n');
});
