import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Workspace } from '../src/index.ts';
import { type Fixture, fixture } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

const KIBIBYTE = 1024;

/** A file system of its own for the root, which is full at so many KiB or files. */
function tiny(it: Fixture, limits: string): AsyncDisposable {
  mkdirSync(it.root);
  execFileSync('mount', ['-t', 'tmpfs', '-o', limits, 'tmpfs', it.root]);
  return {
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', ['--lazy', it.root]);
    },
  };
}

function grow(it: Fixture, limits: string): void {
  execFileSync('mount', ['-o', `remount,${limits}`, it.root]);
}

const mounts = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;

// Skipped without the right to mount: a file system that is full in a moment is made by mounting one.
describe.skipIf(!mounts)('a full disk is a typed error, leaves nothing, and passes when there is room again', () => {
  test.each([
    ['at the fetch', 'size=3m', { 'noise.bin': randomBytes(6000 * KIBIBYTE).toString('latin1') }],
    ['at the writing of files', 'size=4m', { 'zeros.txt': '0'.repeat(8000 * KIBIBYTE) }],
    ['of files instead of bytes', 'size=20m,nr_inodes=160', Object.fromEntries(many(200))],
  ])('%s', async (_name, limits, files) => {
    await using it = fixture(files);
    await using _tiny = tiny(it, limits);
    const manager = it.manager({ strategies: ['overlay', 'clone'] });
    const error = await manager.checkout({ repo: it.origin }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_WORKSPACE_DISK_FULL', retryable: true });
    expectNothingLeftBelow(it);
    grow(it, 'size=200m,nr_inodes=100000');
    const workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    expect((await workspace.status()).clean).toBe(true);
    await workspace.dispose();
    await manager.close();
    expectNothingLeftBelow(it);
  });

  test('for the books alone', async () => {
    await using it = fixture();
    await using _tiny = tiny(it, 'size=20m,nr_inodes=8');
    await using manager = it.manager();
    await expect(manager.ready()).rejects.toMatchObject({ code: 'ERR_WORKSPACE_DISK_FULL' });
    grow(it, 'size=20m,nr_inodes=10000');
    await using workspace = await manager.checkout({ repo: it.origin });
    expect((await workspace.status()).clean).toBe(true);
  });

  test('at a commit: the work stays and can be committed later', async () => {
    await using it = fixture();
    await using _tiny = tiny(it, 'size=8m');
    await using manager = it.manager({ strategies: ['overlay', 'clone'] });
    const workspace: Workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    writeFileSync(join(workspace.path, 'noise.bin'), randomBytes(5000 * KIBIBYTE));
    const error = await workspace.commitAll('Noise').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_WORKSPACE_DISK_FULL' });
    grow(it, 'size=100m');
    expect((await workspace.commitAll('Noise'))?.sha).toMatch(/^[0-9a-f]{40}$/);
    expect((await workspace.push()).status).toBe('pushed');
  });
});

function many(count: number): [string, string][] {
  return Array.from({ length: count }, (_, at) => [`f${at}.txt`, `${at}\n`]);
}

/** The root is a mount itself here; nothing below it may be one. */
function expectNothingLeftBelow(it: Fixture): void {
  expectNothingLeft(join(it.root, '/'));
}
