import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Workspace } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';

function mirrorOf(it: Fixture): string {
  const key = readdirSync(join(it.root, 'mirrors'))[0] as string;
  return join(it.root, 'mirrors', key, 'generation-1.git');
}

async function isWhole(workspace: Workspace): Promise<boolean> {
  return (await workspace.exec('git', ['fsck', '--full', '--strict', '--connectivity-only'])).exitCode === 0;
}

function forcePush(it: Fixture): void {
  git(it.author, 'checkout', '--quiet', '--orphan', `other-${Math.random()}`);
  it.push({ 'other.txt': 'other\n' });
}

// The letters are those of the experiments that broke repositories of other tools.
describe('garbage collection of a mirror under its borrowers', () => {
  test.each([
    ['A: gc --prune=now', ['gc', '--quiet', '--prune=now']],
    ['A2: gc with its usual grace', ['gc', '--quiet']],
    ['B: repack -ad', ['repack', '-adq']],
    ['C: prune', ['prune', '--expire=now']],
  ])('%s after a forced push keeps what a lease pins', async (_name, command) => {
    await using it = fixture();
    const manager = it.manager({ strategies: ['clone'] });
    await using workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    forcePush(it);
    await manager.prefetch(it.origin);
    git(mirrorOf(it), '--git-dir=.', ...command);
    expect(await isWhole(workspace)).toBe(true);
  });

  test('a planted unsafe gc is caught: without its pin the workspace breaks', async () => {
    await using it = fixture();
    const manager = it.manager({ strategies: ['clone'] });
    await using workspace = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    forcePush(it);
    await manager.prefetch(it.origin);
    git(mirrorOf(it), '--git-dir=.', 'update-ref', '-d', `refs/millrace/pins/${workspace.leaseId}`);
    git(mirrorOf(it), '--git-dir=.', 'gc', '--quiet', '--prune=now');
    expect(await isWhole(workspace)).toBe(false);
  });

  test('B2: a fetch that prunes leaves the pins', async () => {
    await using it = fixture();
    const manager = it.manager();
    await using workspace = await manager.checkout({ repo: it.origin });
    await manager.prefetch(it.origin);
    expect(git(mirrorOf(it), '--git-dir=.', 'rev-parse', `refs/millrace/pins/${workspace.leaseId}`)).toBe(
      workspace.base,
    );
  });

  test('D: a new generation leaves the old one to its borrowers, and goes when they are gone', async () => {
    await using it = fixture();
    const manager = it.manager({ strategies: ['clone'] });
    const old = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    const folder = join(mirrorOf(it), 'objects/pack');
    const pack = join(folder, readdirSync(folder).find((name) => name.endsWith('.pack')) as string);
    const healthy = readFileSync(pack);
    chmodSync(pack, 0o644);
    writeFileSync(pack, Buffer.from(healthy).fill(0xff, 24, healthy.length - 20));
    await using next = await manager.checkout({ repo: it.origin, branch: 'agent/2' });
    expect((await manager.inspect()).mirrors).toMatchObject([{ generation: 2 }]);
    writeFileSync(pack, healthy);
    await manager.prune();
    expect(await isWhole(old)).toBe(true);
    await old.dispose();
    await manager.prune();
    expect(readdirSync(join(mirrorOf(it), '..')).filter((name) => name.startsWith('generation'))).toEqual([
      'generation-2.git',
    ]);
    expect(await isWhole(next)).toBe(true);
  });

  test('E, F: gc and repack -ad inside a workspace harm nobody', async () => {
    await using it = fixture();
    const manager = it.manager();
    await using first = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    await using second = await manager.checkout({ repo: it.origin, branch: 'agent/2' });
    await first.exec('sh', [
      '-c',
      'echo 1 > 1.txt && git add -A && git commit -qm 1 && git gc -q --prune=now && git repack -adq',
    ]);
    expect(await isWhole(first)).toBe(true);
    expect(await isWhole(second)).toBe(true);
    expect((await first.push()).status).toBe('pushed');
  });

  test('G, H: what an agent writes in its .git reaches neither the host nor a sibling', async () => {
    await using it = fixture();
    const manager = it.manager();
    await using bad = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    await using good = await manager.checkout({ repo: it.origin, branch: 'agent/2' });
    await bad.exec('git', ['config', 'core.fsmonitor', `touch ${it.folder}/ran; false`]);
    await bad.exec('git', ['update-ref', '-d', 'refs/heads/agent/2']);
    expect((await good.exec('git', ['rev-parse', 'agent/2'])).stdout.trim()).toBe(good.base);
    await bad.status();
    await good.status();
    expect(readdirSync(it.folder)).not.toContain('ran');
  });

  test('the write-path hazard: content that the mirror has only as garbage survives our own maintenance', async () => {
    await using it = fixture();
    const gone = it.push({ 'secret-plan.txt': 'content that only a deleted branch has\n' }, 'doomed');
    const manager = it.manager({ strategies: ['clone'] });
    await manager.prefetch(it.origin);
    git(it.origin, 'update-ref', '-d', 'refs/heads/doomed');
    await manager.prefetch(it.origin);
    await using workspace = await manager.checkout({
      repo: it.origin,
      ref: git(it.author, 'rev-parse', `${gone}~1`),
      branch: 'agent/1',
    });
    writeFileSync(join(workspace.path, 'plan.txt'), 'content that only a deleted branch has\n');
    await workspace.exec('sh', ['-c', 'git add -A && git commit -qm plan']);
    // More packs than maintenance tolerates, so that it really combines them.
    for (let round = 0; round < 14; round += 1) {
      it.push({ [`round-${round}.txt`]: `${round}\n` });
      await manager.prefetch(it.origin);
    }
    await manager.prune();
    expect(
      readdirSync(join(mirrorOf(it), 'objects/pack')).filter((name) => name.endsWith('.pack')).length,
    ).toBeLessThan(13);
    expect(await isWhole(workspace)).toBe(true);
    expect((await workspace.push()).status).toBe('pushed');
    git(it.origin, 'fsck', '--full', '--strict');
  });
});
