import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CheckoutOptions, StrategyName } from '../src/index.ts';
import { fixture, git } from './support/fixture.ts';
import { pointerTo } from './support/lfs-server.ts';
import { attributes, managerOf, setup, sh, storedObjects } from './support/lfs-setup.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

const strategies: readonly StrategyName[] = ['overlay', 'pool', 'clone'];

describe.each(strategies)('large files with strategy %s', (strategy) => {
  test('are there, shared, clean, and go back as pointers with their content', async (context) => {
    await using all = await setup();
    const { it, lfs, repo, content } = all;
    const manager = managerOf(all, strategy);
    if (!(await manager.inspect()).strategies[0]?.available) return context.skip('the probe finds no right to mount');
    await manager.prefetch(repo, { warm: { lfs: true } });
    const options: CheckoutOptions = { repo, branch: 'agent/1', strategy, lfs: true };
    await using workspace = await manager.checkout(options);
    expect(readFileSync(join(workspace.path, 'big.bin')).equals(content)).toBe(true);
    expect(readFileSync(join(workspace.path, 'assets/big.bin')).equals(content)).toBe(true);
    expect(readFileSync(join(workspace.path, 'looks.txt'), 'utf8')).toContain('oid sha256:');
    expect(lfs.calls).toEqual(['batch download 1', 'GET issued-by-batch']);
    expect(storedObjects(it)).toHaveLength(1);
    expect(await sh(workspace, 'git status --porcelain; git diff-files')).toBe('');
    // Hashed anew it is still clean: the filter gives the pointer.
    expect(await sh(workspace, 'touch big.bin; git status --porcelain')).toBe('');
    expect((await workspace.status()).clean).toBe(true);
    // The agent's git finds the content beside what it borrows, without git-lfs and without a network.
    await sh(workspace, 'rm big.bin assets/big.bin; git checkout -q -- .');
    expect(readFileSync(join(workspace.path, 'big.bin')).equals(content)).toBe(true);

    const [mine, theirs] = [randomBytes(5000), randomBytes(6000)];
    writeFileSync(join(workspace.path, 'agent.bin'), theirs);
    await sh(workspace, 'git add -A && git commit -qm agent');
    writeFileSync(join(workspace.path, 'big.bin'), mine);
    const checkpoint = await workspace.snapshot();
    writeFileSync(join(workspace.path, 'big.bin'), 'broken');
    await workspace.restore(checkpoint);
    expect(readFileSync(join(workspace.path, 'big.bin')).equals(mine)).toBe(true);
    await workspace.commitAll('Host');
    expect(await workspace.diff()).toContain('+size 5000');
    expect((await workspace.push()).status).toBe('pushed');
    expect(lfs.calls.slice(2).sort()).toEqual(
      ['PUT issued-by-batch 5000', 'PUT issued-by-batch 6000', 'batch upload 2', 'verify', 'verify'].sort(),
    );
    expect([...lfs.objects.values()].filter((one) => one.equals(mine) || one.equals(theirs))).toHaveLength(2);
    const served = join(lfs.git.root, 'x.git');
    expect(`${git(served, 'show', 'agent/1:big.bin')}\n`).toBe(pointerTo(mine));
    expect(`${git(served, 'show', 'agent/1:agent.bin')}\n`).toBe(pointerTo(theirs));
    // The commit of the host can be written again by the agent's git.
    await sh(workspace, 'rm big.bin; git checkout -q -- big.bin; git status --porcelain');
    expect(readFileSync(join(workspace.path, 'big.bin')).equals(mine)).toBe(true);
    await workspace.dispose();
    await manager.close();
    expectNothingLeft(it.root);
  });

  test('a later commit brings what is new only, and the first status hashes nothing', async (context) => {
    await using all = await setup();
    const { lfs, repo } = all;
    const manager = managerOf(all, strategy);
    if (!(await manager.inspect()).strategies[0]?.available) return context.skip('the probe finds no right to mount');
    await using first = await manager.checkout({ repo, lfs: true });
    const next = randomBytes(3000);
    all.push({ 'next.bin': lfs.add(next), 'more.txt': 'more\n' });
    await manager.prefetch(repo, { warm: { lfs: true } });
    await using second = await manager.checkout({ repo, strategy, lfs: true });
    expect(readFileSync(join(second.path, 'next.bin')).equals(next)).toBe(true);
    expect(readFileSync(join(second.path, 'big.bin')).equals(readFileSync(join(first.path, 'big.bin')))).toBe(true);
    expect(await sh(second, 'git diff-files; git status --porcelain')).toBe('');
    expect(lfs.calls.filter((call) => call.startsWith('GET'))).toHaveLength(2);
  });
});

test('nobody asks: pointers stay pointers and no server of large files is talked to', async () => {
  await using all = await setup();
  await using workspace = await managerOf(all, 'clone').checkout({ repo: all.repo });
  expect(readFileSync(join(workspace.path, 'big.bin'), 'utf8')).toContain('oid sha256:');
  expect(all.lfs.calls).toEqual([]);
});

test('only what a sparse cone holds is brought, also into a partial mirror', async () => {
  await using all = await setup();
  const other = randomBytes(2000);
  all.push({ 'elsewhere/other.bin': all.lfs.add(other), 'assets/readme.md': 'x\n' });
  for (const partial of [false, true]) {
    await using it = fixture();
    const manager = managerOf({ ...all, it }, 'clone');
    await using workspace = await manager.checkout({ repo: all.repo, sparse: ['assets'], lfs: true, partial });
    expect(statSync(join(workspace.path, 'assets/big.bin')).size).toBe(all.content.length);
    expect(storedObjects(it)).toHaveLength(1);
    expect(await sh(workspace, 'git status --porcelain')).toBe('');
  }
});

test('attributes that change give files to LFS and take them away, over an earlier template, too', async () => {
  await using all = await setup();
  const manager = managerOf(all, 'overlay');
  await using _first = await manager.checkout({ repo: all.repo, lfs: true });
  all.push({ '.gitattributes': '*.txt filter=lfs -text\n' });
  await using second = await manager.checkout({ repo: all.repo, lfs: true });
  expect(readFileSync(join(second.path, 'big.bin'), 'utf8')).toContain('oid sha256:');
  expect(statSync(join(second.path, 'looks.txt')).size).toBe(all.content.length);
  expect(await sh(second, 'git diff-files')).toBe('');
});

test('twenty checkouts at once bring an object once', async () => {
  await using all = await setup();
  const managers = [managerOf(all, 'clone'), managerOf(all, 'clone')];
  const work = Array.from({ length: 20 }, (_, at) => managers[at % 2]?.checkout({ repo: all.repo, lfs: true }));
  const workspaces = await Promise.all(work);
  expect(all.lfs.calls).toEqual(['batch download 1', 'GET issued-by-batch']);
  expect(workspaces.map((one) => statSync(join(one?.path ?? '', 'big.bin')).size)).toEqual(
    workspaces.map(() => all.content.length),
  );
});

test('a repository of this machine keeps its large files beside it', async () => {
  await using it = fixture();
  const content = randomBytes(4000);
  const pointer = pointerTo(content);
  const oid = /sha256:(\w+)/.exec(pointer)?.[1] as string;
  const folder = join(it.origin, 'lfs/objects', oid.slice(0, 2), oid.slice(2, 4));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, oid), content);
  it.push({ '.gitattributes': attributes, 'a.bin': pointer });
  await using workspace = await it.manager().checkout({ repo: it.origin, branch: 'agent/1', lfs: true });
  expect(readFileSync(join(workspace.path, 'a.bin')).equals(content)).toBe(true);
  writeFileSync(join(workspace.path, 'b.bin'), 'new content');
  await workspace.commitAll('New');
  await workspace.push();
  const stored = readdirSync(join(it.origin, 'lfs/objects'), { recursive: true, encoding: 'utf8' });
  expect(stored.filter((name) => /[0-9a-f]{64}$/.test(name))).toHaveLength(2);
});
