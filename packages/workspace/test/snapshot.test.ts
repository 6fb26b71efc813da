import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { usageOf } from '../src/files/disk-usage.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

/** A file system of its own for the root, in a file. */
function btrfs(it: Fixture): AsyncDisposable {
  const image = join(it.folder, 'image');
  execFileSync('truncate', ['--size=200M', image]);
  execFileSync('mkfs.btrfs', ['--quiet', image]);
  mkdirSync(it.root);
  execFileSync('mount', ['-o', 'loop', image, it.root]);
  return {
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', ['--lazy', it.root]);
    },
  };
}

const possible =
  process.getuid?.() === 0 &&
  ['mkfs.btrfs', 'btrfs'].every((program) => spawnSync(program, ['--version']).status === 0) &&
  spawnSync('losetup', ['--find']).status === 0;

// Skipped without btrfs-progs, loop devices or the right to mount.
describe.skipIf(!possible)('strategy snapshot, on btrfs', () => {
  test('a template once, then snapshots: all that works in a workspace, nothing hashed again, nothing left', async () => {
    await using it = fixture({ 'src/a.txt': 'a\n'.repeat(50_000), 'readme.md': 'hello\n' });
    await using _btrfs = btrfs(it);
    const manager = it.manager({ strategies: ['snapshot', 'clone'] });
    await manager.prefetch(it.origin, { warm: {} });
    const first = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    const second = await manager.checkout({ repo: it.origin, branch: 'agent/2' });
    expect(first.stats).toMatchObject({ strategy: 'snapshot' });
    expect((await first.exec('git', ['diff-files', '--name-only'])).stdout).toBe('');
    writeFileSync(join(first.path, 'src/a.txt'), 'mine\n');
    expect(readFileSync(join(second.path, 'src/a.txt'), 'utf8')).toBe('a\n'.repeat(50_000));
    expect((await first.status()).entries).toEqual([{ path: 'src/a.txt', change: 'modified' }]);
    const commit = await first.commitAll('Mine');
    expect((await first.push()).status).toBe('pushed');
    expect(git(it.origin, 'rev-parse', 'agent/1')).toBe(commit?.sha);
    expect((await second.status()).clean).toBe(true);
    await second.dispose();
    await manager.close();
    expectNothingLeft(join(it.root, '/'));
    expect(execFileSync('btrfs', ['subvolume', 'list', it.root], { encoding: 'utf8' }).trim().split('\n')).toHaveLength(
      1,
    );
    const later = it.manager({ strategies: ['snapshot', 'clone'], limits: { rootBytes: 1, freeBytes: 0 } });
    expect(await later.prune()).toMatchObject({ evictedTemplates: 1, evictedMirrors: 1 });
    expect((await usageOf(join(it.root, 'templates'))).inodes).toBeLessThan(4);
  });
});

test('where there is no btrfs the probe says so, and another strategy is taken', async () => {
  await using it = fixture();
  const manager = it.manager({ strategies: ['snapshot', 'clone'] });
  const [probe] = (await manager.inspect()).strategies;
  if (probe?.available === true) return;
  expect(probe?.reason).toMatch(/btrfs/);
  await using workspace = await manager.checkout({ repo: it.origin });
  expect(workspace.stats.strategy).toBe('clone');
});
