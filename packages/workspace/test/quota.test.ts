import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { usageOf } from '../src/files/disk-usage.ts';
import { fixture } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

const MEBIBYTE = 1024 * 1024;

test('no room left: a clear error and a clean state, after everything unused was evicted', async () => {
  await using it = fixture();
  const evicted: string[] = [];
  const plain = it.manager();
  await (await plain.checkout({ repo: it.origin })).dispose();
  const full = it.manager({
    limits: { freeBytes: Number.MAX_SAFE_INTEGER },
    instrumentation: { onEvicted: ({ kind }) => evicted.push(kind) },
  });
  await expect(full.checkout({ repo: it.origin })).rejects.toMatchObject({
    code: 'ERR_WORKSPACE_DISK_FULL',
    retryable: true,
  });
  expectNothingLeft(it.root, { mirrors: false });
  expect(evicted).toContain('mirror');
});

test("a tenant's quota refuses its next checkout and nobody else's", async () => {
  await using it = fixture();
  const manager = it.manager({ limits: { tenantBytes: MEBIBYTE, freeBytes: 0 } });
  const greedy = await manager.checkout({ repo: it.origin, tenant: 'greedy' });
  await greedy.exec('dd', ['if=/dev/zero', 'of=big', 'bs=1M', 'count=2']);
  await expect(manager.checkout({ repo: it.origin, tenant: 'greedy' })).rejects.toMatchObject({
    code: 'ERR_WORKSPACE_DISK_FULL',
  });
  await using other = await manager.checkout({ repo: it.origin, tenant: 'modest' });
  expect((await other.status()).clean).toBe(true);
  await greedy.dispose();
  await using again = await manager.checkout({ repo: it.origin, tenant: 'greedy' });
  expect((await again.status()).clean).toBe(true);
});

test('what somebody works on is not evicted, however full it is', async () => {
  await using it = fixture();
  const manager = it.manager({ limits: { rootBytes: 1, freeBytes: 0 } });
  await using workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
  await workspace.exec('sh', ['-c', 'echo 1 > 1.txt']);
  await manager.prune();
  expect((await workspace.exec('git', ['fsck', '--full'])).exitCode).toBe(0);
  expect((await workspace.status()).entries).toEqual([{ path: '1.txt', change: 'added' }]);
  expect((await workspace.exec('cat', ['readme.md'])).stdout).toBe('hello\n');
});

test('prune says which workspaces are too large, and they are not committed', async () => {
  await using it = fixture();
  const manager = it.manager({ limits: { workspaceBytes: MEBIBYTE, freeBytes: 0 } });
  await using small = await manager.checkout({ repo: it.origin, leaseId: 'small' });
  await using large = await manager.checkout({ repo: it.origin, leaseId: 'large' });
  await large.exec('dd', ['if=/dev/zero', 'of=big', 'bs=1M', 'count=2']);
  expect((await manager.prune()).overQuota).toEqual(['large']);
  await expect(large.commitAll('Too much')).rejects.toMatchObject({ code: 'ERR_WORKSPACE_DISK_FULL' });
  await large.exec('rm', ['big']);
  await large.exec('touch', ['little']);
  expect((await large.commitAll('Little'))?.sha).toMatch(/^[0-9a-f]{40}$/);
  expect((await small.status()).clean).toBe(true);
});

test('churn leaves the disk flat', async () => {
  await using it = fixture();
  const manager = it.manager({ limits: { rootBytes: 2 * MEBIBYTE, freeBytes: 0 } });
  const rounds = process.env.MILLRACE_STRESS === '1' ? 200 : 12;
  for (let round = 0; round < rounds; round += 1) {
    it.push({ 'changing.txt': 'x'.repeat(50_000) + String(round) });
    await using workspace = await manager.checkout({ repo: it.origin, branch: `agent/${round}` });
    await workspace.exec('sh', ['-c', 'echo 1 > 1.txt']);
    await workspace.commitAll('One');
    if (round % 4 === 3) await manager.prune();
  }
  await manager.prune();
  expect((await usageOf(it.root)).bytes).toBeLessThanOrEqual(2 * MEBIBYTE);
  expect(readdirSync(join(it.root, 'workspaces'))).toEqual([]);
});
