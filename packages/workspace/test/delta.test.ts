import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { usageOf } from '../src/files/disk-usage.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

async function canMount(): Promise<boolean> {
  await using it = fixture();
  return (await it.manager({ strategies: ['overlay', 'clone'] }).inspect()).strategies[0]?.available === true;
}

const files = Object.fromEntries(
  Array.from({ length: 40 }, (_, at) => [`d${at % 4}/f${at}.txt`, `${at}\n`.repeat(900)]),
);

/** Folders of the templates by the commit they are of. */
function templates(it: Fixture): ReadonlyMap<string, string> {
  const all = readdirSync(join(it.root, 'templates'), { recursive: true, encoding: 'utf8' });
  const found = all.filter((name) => /^[^/]+\/\d+-[0-9a-f]{40}-[0-9a-f]{12}$/.test(name));
  return new Map(found.map((name) => [name.split('/')[1]?.split('-')[1] as string, join(it.root, 'templates', name)]));
}

// Skipped without the right to mount: layers are of overlays, and there are none.
describe.skipIf(!(await canMount()))('a template of a later commit', () => {
  test('is a layer over the nearest one: changed files only, status clean, nothing hashed again', async () => {
    await using it = fixture(files);
    const manager = it.manager({ strategies: ['overlay'] });
    const first = await manager.checkout({ repo: it.origin });
    git(it.author, 'rm', '--quiet', 'd0/f0.txt');
    git(it.author, 'mv', 'd1/f1.txt', 'moved.txt');
    const next = it.push({ 'd2/f2.txt': 'changed\n', 'new/deep/x.txt': 'x\n' });
    const second = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
    const folder = templates(it).get(next) as string;
    expect(readFileSync(join(folder, 'base'), 'utf8')).toContain(first.base);
    expect((await usageOf(folder)).bytes).toBeLessThan((await usageOf(first.path)).bytes / 2);
    expect((await second.exec('git', ['diff-files', '--name-only'])).stdout).toBe('');
    expect((await second.exec('git', ['status', '--porcelain'])).stdout).toBe('');
    expect((await second.exec('git', ['ls-files', '-s'])).stdout).toBe(`${git(it.author, 'ls-files', '-s')}\n`);
    // Set back in time, so that git need not doubt whether it changed after the index was written.
    expect(statSync(join(second.path, 'd2/f2.txt')).mtimeMs).toBeLessThan(
      statSync(join(folder, 'tree/.git/index')).mtimeMs - 2000,
    );
    expect(existsSync(join(second.path, 'd0/f0.txt'))).toBe(false);
    expect(readFileSync(join(second.path, 'd2/f2.txt'), 'utf8')).toBe('changed\n');
    expect(readFileSync(join(first.path, 'd2/f2.txt'), 'utf8')).toBe(files['d2/f2.txt']);
    writeFileSync(join(second.path, 'd3/f3.txt'), 'mine\n');
    expect((await second.status()).entries).toEqual([{ path: 'd3/f3.txt', change: 'modified' }]);
    await second.commitAll('Mine');
    expect((await second.push()).status).toBe('pushed');
    expect((await second.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
    await manager.close();
    expectNothingLeft(it.root);
  });

  test('is a whole tree of its own when too much differs', async () => {
    await using it = fixture(files);
    const manager = it.manager({ strategies: ['overlay'] });
    await manager.checkout({ repo: it.origin });
    const next = it.push(Object.fromEntries(Object.keys(files).map((name) => [name, 'other\n'])));
    await using second = await manager.checkout({ repo: it.origin });
    expect(existsSync(join(templates(it).get(next) as string, 'base'))).toBe(false);
    expect((await second.status()).clean).toBe(true);
  });

  test('keeps its base while it lives, and lets it go with itself', async () => {
    await using it = fixture(files);
    const manager = it.manager({ strategies: ['overlay'], limits: { rootBytes: 1, freeBytes: 0 } });
    await (await manager.checkout({ repo: it.origin })).dispose();
    it.push({ 'd2/f2.txt': 'changed\n' });
    await using second = await manager.checkout({ repo: it.origin });
    expect((await manager.prune()).evictedTemplates).toBe(0);
    expect(readFileSync(join(second.path, 'd3/f3.txt'), 'utf8')).toBe(files['d3/f3.txt']);
    await second.dispose();
    await manager.prune();
    await manager.prune();
    expect(templates(it).size).toBe(0);
  });

  test('of an evictor that died half-way is found again', async () => {
    await using it = fixture(files);
    const manager = it.manager({ strategies: ['overlay'], limits: { rootBytes: 1, freeBytes: 0 } });
    const { base } = await manager.checkout({ repo: it.origin, leaseId: 'lives' });
    const folder = templates(it).get(base) as string;
    git(it.folder, 'init', '--quiet', join(it.folder, 'unused'));
    const { renameSync } = await import('node:fs');
    renameSync(folder, `${folder}.evicting`);
    await manager.prune();
    expect(statSync(`${folder}.evicting`).isDirectory()).toBe(true);
    await using other = await manager.checkout({ repo: it.origin, ref: base });
    expect((await other.status()).clean).toBe(true);
  });
});
