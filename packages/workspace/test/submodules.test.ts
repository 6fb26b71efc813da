import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGitServer } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import { buildManager } from '../src/create-manager.ts';
import type { RefusedByPolicyError, StrategyName } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

/** Adds a gitlink with its entry, without what `git submodule add` would fetch. */
function link(it: Fixture, path: string, url: string, commit: string, name = path): string {
  const file = join(it.author, '.gitmodules');
  git(it.author, 'config', '--file', file, `submodule.${name}.path`, path);
  git(it.author, 'config', '--file', file, `submodule.${name}.url`, url);
  git(it.author, 'update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
  git(it.author, 'add', '.gitmodules');
  git(it.author, 'commit', '--quiet', '-m', 'link');
  git(it.author, 'push', '--quiet', 'origin', 'HEAD:refs/heads/main');
  return git(it.author, 'rev-parse', 'HEAD');
}

const strategies: readonly StrategyName[] = ['overlay', 'pool', 'clone'];

describe.each(strategies)('submodules with strategy %s', (strategy) => {
  test('are there, nested ones too, clean, each from a mirror of its own, and are not followed unasked', async (context) => {
    await using it = fixture();
    await using inner = fixture({ 'inner.txt': 'inner\n' });
    await using outer = fixture({ 'outer.txt': 'outer\n' });
    const deep = link(outer, 'deep/inner', inner.origin, git(inner.author, 'rev-parse', 'HEAD'));
    link(it, 'libs/outer', outer.origin, deep);
    const manager = it.manager({ strategies: [strategy, 'clone'], pool: { size: 1 } });
    if (!(await manager.inspect()).strategies[0]?.available) return context.skip('the probe finds no right to mount');
    await manager.prefetch(it.origin, { warm: {} });
    await using plain = await manager.checkout({ repo: it.origin, strategy });
    expect(readdirSync(join(plain.path, 'libs/outer'))).toEqual([]);
    if (strategy === 'pool') await manager.prefetch(it.origin, { warm: {} });
    const workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1', strategy, submodules: true });
    expect(readFileSync(join(workspace.path, 'libs/outer/outer.txt'), 'utf8')).toBe('outer\n');
    expect(readFileSync(join(workspace.path, 'libs/outer/deep/inner/inner.txt'), 'utf8')).toBe('inner\n');
    expect((await workspace.exec('git', ['status', '--porcelain'])).stdout).toBe('');
    expect((await workspace.exec('git', ['submodule', 'status'])).stdout).toMatch(/^ [0-9a-f]{40} libs\/outer/);
    expect((await workspace.status()).clean).toBe(true);
    expect((await manager.inspect()).mirrors).toHaveLength(3);
    writeFileSync(join(workspace.path, 'own.txt'), 'own\n');
    await workspace.commitAll('Own');
    expect((await workspace.push()).status).toBe('pushed');
    expect(git(it.origin, 'diff', '--name-only', 'main', 'agent/1')).toBe('own.txt');
    await workspace.dispose();
    await manager.close();
    expectNothingLeft(it.root);
  });
});

test('what a submodule borrows is kept from an eviction while the workspace lives', async () => {
  await using it = fixture();
  await using library = fixture({ 'library.txt': 'library\n' });
  link(it, 'library', library.origin, git(library.author, 'rev-parse', 'HEAD'));
  const manager = it.manager({ strategies: ['clone'], limits: { rootBytes: 1, freeBytes: 0 } });
  const workspace = await manager.checkout({ repo: it.origin, submodules: true });
  expect((await manager.prune()).evictedMirrors).toBe(0);
  const { exitCode } = await workspace.exec('git', ['-C', 'library', 'fsck', '--full', '--strict']);
  expect(exitCode).toBe(0);
  await workspace.dispose();
  expect((await manager.prune()).evictedMirrors).toBe(2);
});

test('the mirror of a submodule is booked before it is borrowed from: an eviction in between leaves it', async () => {
  await using it = fixture();
  await using library = fixture({ 'library.txt': 'library\n' });
  link(it, 'library', library.origin, git(library.author, 'rev-parse', 'HEAD'));
  const child = join(import.meta.dirname, 'support/evict-child.ts');
  const [unheld, goOn] = [join(it.folder, 'unheld'), join(it.folder, 'go-on')];
  writeFileSync(goOn, '');
  const evictions: (number | null)[] = [];
  const manager = buildManager(
    { root: it.root, allowedProtocols: ['file'], limits: { freeBytes: 0 }, strategies: ['clone'] },
    (step) => {
      if (step !== 'submodule:supplied') return;
      const args = ['--conditions=@millrace/source', '--import', 'tsx', child, it.root, unheld, goOn, 'none'];
      evictions.push(spawnSync(process.execPath, args).status);
    },
  );
  await using workspace = await manager.checkout({ repo: it.origin, submodules: true });
  expect(evictions).toEqual([0]);
  expect(readFileSync(join(workspace.path, 'library/library.txt'), 'utf8')).toBe('library\n');
  expect((await manager.inspect()).mirrors).toHaveLength(2);
  await manager.close();
});

test('relative addresses start at the repository, other hosts have to be allowed', async () => {
  await using it = fixture();
  await using library = fixture({ 'library.txt': 'library\n' });
  await using here = await startGitServer();
  await using there = await startGitServer();
  const commit = git(library.author, 'rev-parse', 'HEAD');
  await here.createRepo('library.git', library.origin);
  const far = await there.createRepo('library.git', library.origin);
  link(it, 'near', '../library.git', commit);
  const repo = await here.createRepo('x.git', it.origin);
  const manager = it.manager({ allowedProtocols: ['http'], strategies: ['clone'] });
  await using near = await manager.checkout({ repo, submodules: true });
  expect(readFileSync(join(near.path, 'near/library.txt'), 'utf8')).toBe('library\n');
  link(it, 'far', far, commit);
  git(it.author, 'push', '--quiet', join(here.root, 'x.git'), 'HEAD:refs/heads/main');
  const refused = await manager.checkout({ repo, submodules: true }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'ERR_WORKSPACE_REFUSED', rule: 'submodule' });
  const hosts = [new URL(far).host];
  await using both = await manager.checkout({ repo, submodules: { hosts } });
  expect(readFileSync(join(both.path, 'far/library.txt'), 'utf8')).toBe('library\n');
});

describe('a hostile submodule is refused, nothing runs and nothing stays', () => {
  test.each([
    ['ext::', 'x', 'ext::touch MARK', undefined],
    ['an option', 'x', '--upload-pack=touch MARK', undefined],
    ['a file of the machine', 'x', 'file:///etc', undefined],
    ['a name that leaves its place', 'x', '../library.git', '../../hooks'],
    ['a path with a carriage return', 'x\r', '../library.git', 'x'],
    ['credentials in the address', 'x', 'http://user:secret@127.0.0.1/x.git', undefined],
  ])('%s', async (_name, path, url, name) => {
    await using it = fixture();
    await using server = await startGitServer();
    const mark = join(it.folder, 'mark');
    const repo = await server.createRepo('x.git', it.origin);
    const manager = it.manager({ allowedProtocols: ['http'], strategies: ['clone'] });
    link(it, path, url.replace('MARK', mark), git(it.author, 'rev-parse', 'HEAD'), name);
    git(it.author, 'push', '--quiet', join(server.root, 'x.git'), 'HEAD:refs/heads/main');
    const error = await manager.checkout({ repo, submodules: true }).catch((reason: unknown) => reason);
    expect((error as RefusedByPolicyError).code).toBe('ERR_WORKSPACE_REFUSED');
    expect((error as Error).message).not.toContain('secret');
    expect(existsSync(mark)).toBe(false);
    expectNothingLeft(it.root);
  });
});
