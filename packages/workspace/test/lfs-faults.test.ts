import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CheckoutOptions, Credential, WorkspaceError } from '../src/index.ts';
import { git } from './support/fixture.ts';
import { pointerTo } from './support/lfs-server.ts';
import { managerOf, type Setup, setup, sh, storedObjects } from './support/lfs-setup.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

async function failureOf(work: Promise<unknown>): Promise<WorkspaceError> {
  return await work.then(
    () => expect.unreachable('it should have failed'),
    (reason: unknown) => reason as WorkspaceError,
  );
}

describe('what can go wrong with a large file has a name, leaves nothing, and can be repeated', () => {
  const cases: readonly (readonly [string, (all: Setup) => void, Partial<CheckoutOptions>, object])[] = [
    ['the server lacks it', ({ lfs }) => lfs.objects.clear(), {}, { code: 'ERR_WORKSPACE_LFS_NOT_FOUND' }],
    [
      'other bytes come',
      ({ lfs }) => Object.assign(lfs, { fault: 'lie' }),
      {},
      { code: 'ERR_WORKSPACE_LFS_CORRUPT', retryable: true },
    ],
    ['more bytes come', ({ lfs }) => Object.assign(lfs, { fault: 'extra' }), {}, { code: 'ERR_WORKSPACE_LFS_CORRUPT' }],
    [
      'the link breaks',
      ({ lfs }) => Object.assign(lfs, { fault: 'cut' }),
      {},
      { code: 'ERR_WORKSPACE_NETWORK', retryable: true },
    ],
    [
      'the server names a file of this machine',
      ({ lfs }) => Object.assign(lfs, { fault: 'elsewhere' }),
      {},
      { code: 'ERR_WORKSPACE_REFUSED', rule: 'lfs-address' },
    ],
    [
      'one is too large',
      () => undefined,
      { lfs: { maxObjectBytes: 1000 } },
      { code: 'ERR_WORKSPACE_REFUSED', rule: 'lfs-size' },
    ],
    [
      'all of them are too large',
      () => undefined,
      { lfs: { maxBytes: 150_000 } },
      { code: 'ERR_WORKSPACE_REFUSED', rule: 'lfs-size' },
    ],
    ['nobody has a credential', ({ lfs }) => Object.assign(lfs, { auth: 'a:b' }), {}, { code: 'ERR_WORKSPACE_AUTH' }],
  ];
  test.each(cases)('%s', async (_name, spoil, options, expected) => {
    await using all = await setup();
    const healthy = new Map(all.lfs.objects);
    const manager = managerOf(all, 'clone');
    spoil(all);
    const error = await failureOf(manager.checkout({ repo: all.repo, lfs: true, ...options }));
    expect(error).toMatchObject(expected);
    expectNothingLeft(all.it.root);
    expect(storedObjects(all.it)).toEqual([]);
    for (const [oid, content] of healthy) all.lfs.objects.set(oid, content);
    Object.assign(all.lfs, { fault: 'serve', auth: undefined });
    await using workspace = await manager.checkout({ repo: all.repo, lfs: true });
    expect(readFileSync(join(workspace.path, 'big.bin')).equals(all.content)).toBe(true);
  });

  test('a caller who gives up ends the transfer', async () => {
    await using all = await setup();
    const abort = new AbortController();
    const manager = managerOf(all, 'clone', {
      credentials: async () => {
        abort.abort(new Error('enough'));
        return undefined;
      },
    });
    all.lfs.auth = 'a:b';
    await expect(manager.checkout({ repo: all.repo, lfs: true, signal: abort.signal })).rejects.toThrow('enough');
    expectNothingLeft(all.it.root);
  });
});

test('a credential is given to the server when it asks, and to nobody and nothing else', async () => {
  await using all = await setup();
  all.lfs.auth = 'robot:s3cret-token-of-the-test';
  all.lfs.fault = 'redirect';
  const asked: string[] = [];
  const credential: Credential = { username: 'robot', password: 's3cret-token-of-the-test' };
  const manager = managerOf(all, 'clone', {
    credentials: async ({ operation, host, path }) => {
      asked.push(`${operation} ${host} ${path}`);
      return credential;
    },
  });
  await using workspace = await manager.checkout({ repo: all.repo, branch: 'agent/1', lfs: true });
  writeFileSync(join(workspace.path, 'new.bin'), randomBytes(3000));
  await workspace.commitAll('New');
  await workspace.push();
  const { host } = new URL(all.repo);
  expect(asked).toEqual([`fetch ${host} x.git`, `push ${host} x.git`]);
  const found = execFileSync('sh', ['-c', `grep -rl s3cret-token "${all.it.root}" || true`], { encoding: 'utf8' });
  expect(found).toBe('');
});

describe('what an agent makes of large files is checked before it leaves', () => {
  const oid = 'a'.repeat(64);
  const places = `.git/lfs/objects/aa/aa/${oid}`;
  test.each([
    ['a pointer to nothing', () => undefined, { code: 'ERR_WORKSPACE_LFS_NOT_FOUND' }],
    [
      'a content with another hash',
      (tree: string) => {
        mkdirSync(dirname(join(tree, places)), { recursive: true });
        writeFileSync(join(tree, places), Buffer.alloc(3000));
      },
      { code: 'ERR_WORKSPACE_LFS_CORRUPT' },
    ],
    [
      'a link in the place of a content',
      (tree: string) => {
        mkdirSync(dirname(join(tree, places)), { recursive: true });
        symlinkSync('/etc/passwd', join(tree, places));
      },
      { code: 'ERR_WORKSPACE_REFUSED', rule: 'git-dir-link' },
    ],
  ])('%s', async (_name, plant, expected) => {
    await using all = await setup();
    await using workspace = await managerOf(all, 'clone').checkout({ repo: all.repo, branch: 'agent/1', lfs: true });
    plant(workspace.path);
    const pointer = pointerTo(Buffer.alloc(3000)).replace(/[0-9a-f]{64}/, oid);
    writeFileSync(join(workspace.path, 'evil.bin'), pointer);
    await workspace.commitAll('Evil');
    expect(await failureOf(workspace.push())).toMatchObject(expected);
    const served = join(all.lfs.git.root, 'x.git');
    expect(git(served, 'for-each-ref', '--format=%(refname)')).not.toContain('agent');
    expect(all.lfs.calls.some((call) => call.startsWith('PUT'))).toBe(false);
  });

  test('filters that an agent plants do not run on the host', async () => {
    await using all = await setup();
    await using workspace = await managerOf(all, 'clone').checkout({ repo: all.repo, branch: 'agent/1', lfs: true });
    const mark = join(all.it.folder, 'mark');
    const plant = `for k in clean smudge process; do git config filter.lfs.$k "touch ${mark}; cat"; done; touch big.bin`;
    await sh(workspace, plant);
    expect((await workspace.status()).clean).toBe(true);
    writeFileSync(join(workspace.path, 'new.bin'), 'new');
    await workspace.commitAll('New');
    await workspace.push();
    expect(() => readFileSync(mark)).toThrow('ENOENT');
  });
});

test('large files go when room is needed, longest unused first, not those of a living workspace', async () => {
  await using all = await setup();
  const manager = managerOf(all, 'clone', { limits: { rootBytes: 1, freeBytes: 0 } });
  const old = await manager.checkout({ repo: all.repo, lfs: true });
  await old.dispose();
  const [stale = ''] = storedObjects(all.it);
  const past = new Date(Date.now() - 60_000);
  utimesSync(join(all.it.root, 'mirrors', stale), past, past);
  all.push({ 'big.bin': all.lfs.add(randomBytes(70_000)), 'assets/big.bin': 'plain\n' });
  const live = await manager.checkout({ repo: all.repo, lfs: true });
  expect(await manager.prune()).toMatchObject({ evictedLargeFiles: 1, evictedMirrors: 0 });
  expect(storedObjects(all.it)).not.toContain(stale);
  expect(storedObjects(all.it)).toHaveLength(1);
  await live.dispose();
  const report = await manager.prune();
  expect(report).toMatchObject({ evictedLargeFiles: 1, evictedMirrors: 1 });
  // What was evicted is brought again.
  await using again = await manager.checkout({ repo: all.repo, ref: live.base, lfs: true });
  expect(readFileSync(join(again.path, 'big.bin'))).toHaveLength(70_000);
});
