import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CheckoutOptions, Workspace } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { sh } from './support/lfs-setup.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

const trusted = { strategy: 'worktree', trusted: true } as const;

function hubs(it: Fixture): string[] {
  const names = readdirSync(join(it.root, 'mirrors'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\/hub-\d+\.git$/.test(name)).map((name) => join(it.root, 'mirrors', name));
}

test('branch, edit, status, commits of both sides, push, dispose', async () => {
  await using it = fixture();
  const manager = it.manager();
  const workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1', ...trusted });
  expect(workspace.stats.strategy).toBe('worktree');
  expect(await sh(workspace, 'git diff-files; git status --porcelain; git branch --show-current')).toBe('agent/1\n');
  expect(await workspace.status()).toMatchObject({ head: workspace.base, clean: true });
  writeFileSync(join(workspace.path, 'one.txt'), '1\n');
  await sh(workspace, 'git add -A && git commit -qm One');
  writeFileSync(join(workspace.path, 'two.txt'), '2\n');
  const commit = await workspace.commitAll('Two');
  expect(await sh(workspace, 'git status --porcelain; git log --format=%s -2')).toBe('Two\nOne\n');
  expect((await workspace.push()).status).toBe('pushed');
  expect(git(it.origin, 'rev-parse', 'agent/1')).toBe(commit?.sha);
  git(it.origin, 'fsck', '--strict');
  await workspace.dispose();
  expect(git(hubs(it)[0] as string, 'worktree', 'list')).toMatch(/\(bare\)$/);
  expect(git(hubs(it)[0] as string, 'for-each-ref')).toBe('');
  await manager.prune();
  expect(hubs(it)).toEqual([]);
  await manager.close();
  expectNothingLeft(it.root);
});

test('worktrees see the branches of each other, each has its own author and cone, and no two are on one branch', async () => {
  await using it = fixture();
  const manager = it.manager();
  const at = (branch: string, options: Partial<CheckoutOptions> = {}): Promise<Workspace> =>
    manager.checkout({ repo: it.origin, branch, ...trusted, ...options });
  const [ann, ben] = await Promise.all([
    at('ann', { identity: { name: 'Ann', email: 'ann@example.org' } }),
    at('ben', { identity: { name: 'Ben', email: 'ben@example.org' }, sparse: ['src'] }),
  ]);
  await sh(ann, 'echo a > a.txt && git add a.txt && git commit -qm Ann');
  expect(await sh(ben, 'git merge -q --no-edit ann && git log -1 --format=%an,%s && ls')).toBe(
    'Ann,Ann\na.txt\nreadme.md\nsrc\n',
  );
  expect(await sh(ben, 'git config user.name; git status --porcelain')).toBe('Ben\n');
  await expect(at('ann')).rejects.toMatchObject({ code: 'ERR_WORKSPACE_REFUSED', rule: 'branch-in-use' });
  await ann.dispose();
  await using again = await at('ann');
  expect(await sh(again, 'git log -1 --format=%s')).toBe('change\n');
  expect((await ben.push()).status).toBe('pushed');
});

test('collecting garbage in one harms neither a sibling, nor the mirror, nor other workspaces', async () => {
  await using it = fixture();
  const manager = it.manager();
  await using mine = await manager.checkout({ repo: it.origin, branch: 'mine', ...trusted });
  await using theirs = await manager.checkout({ repo: it.origin, branch: 'theirs', ...trusted });
  await using clone = await manager.checkout({ repo: it.origin, branch: 'clone', strategy: 'clone' });
  writeFileSync(join(theirs.path, 'staged.txt'), 'staged, not committed\n');
  await sh(theirs, 'git add -A');
  await sh(mine, 'git commit -q --allow-empty -m x && git reflog expire --all --expire=now && git gc -q --prune=now');
  for (const workspace of [mine, theirs, clone]) await sh(workspace, 'git fsck --full --strict');
  await sh(theirs, 'git commit -qm staged && git show HEAD:staged.txt');
  const [hub = ''] = hubs(it);
  git(hub.replace('hub-', 'generation-'), '--git-dir=.', 'fsck', '--full', '--strict', '--no-dangling');
  expect((await theirs.push()).status).toBe('pushed');
});

test('nobody gets one unasked: a checkout that does not trust its agent is refused, or takes the next strategy', async () => {
  await using it = fixture();
  const manager = it.manager({ strategies: ['worktree', 'clone'] });
  await expect(manager.checkout({ repo: it.origin, strategy: 'worktree' })).rejects.toMatchObject({
    code: 'ERR_WORKSPACE_REFUSED',
    rule: 'trusted',
  });
  await using plain = await manager.checkout({ repo: it.origin });
  expect(plain.stats.strategy).toBe('clone');
  await using asked = await manager.checkout({ repo: it.origin, trusted: true });
  expect(asked.stats.strategy).toBe('worktree');
});

test('the host obeys nothing that an agent writes in what worktrees share', async () => {
  await using it = fixture();
  await using bad = await it.manager().checkout({ repo: it.origin, branch: 'bad', ...trusted });
  await using good = await it.manager().checkout({ repo: it.origin, branch: 'good', ...trusted });
  const mark = join(it.folder, 'mark');
  await sh(bad, `git config core.fsmonitor "touch ${mark}; false"; git config core.hooksPath "$PWD/hooks"`);
  writeFileSync(join(good.path, 'x.txt'), 'x\n');
  await good.status();
  await good.commitAll('X');
  await good.push();
  await good.dispose();
  expect(() => readFileSync(mark)).toThrow('ENOENT');
});
