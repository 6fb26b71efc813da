import { copyFile, lstat, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RefusedByPolicyError } from '../errors.ts';
import { orMissing } from '../files/record.ts';
import type { StatusEntry } from '../workspace.ts';
import type { HostRepository } from './host-repository.ts';
import type { ResolvedRules } from './rules.ts';
import { treeOf } from './trees.ts';

const changeOf: Readonly<Record<string, StatusEntry['change']>> = {
  '?': 'added',
  A: 'added',
  M: 'modified',
  D: 'deleted',
  T: 'type-changed',
};

/** Uncommitted changes, by the host's own index. */
export async function statusEntries(host: HostRepository, signal?: AbortSignal): Promise<StatusEntry[]> {
  const listed = await host.text({
    what: 'Looking for changes',
    inTree: true,
    args: ['status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames', '--ignore-submodules=all'],
    signal,
  });
  return listed
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => ({ path: line.slice(3), change: changeOf[line.slice(0, 2).trim().charAt(0)] ?? 'modified' }));
}

/** Refuses files that are too large before git reads them. */
async function checkSizes(host: HostRepository, entries: readonly StatusEntry[], rules: ResolvedRules): Promise<void> {
  for (const { path, change } of entries) {
    if (change === 'deleted') continue;
    const info = await lstat(join(host.context.view.hostPath, path)).catch(orMissing);
    if (info?.isFile() && info.size > rules.maxFileBytes) {
      throw new RefusedByPolicyError('file-size', `${path} has ${info.size} bytes; ${rules.maxFileBytes} are allowed`);
    }
  }
}

/** The working tree as a tree object, with the index that belongs to it. */
export interface WrittenTree {
  readonly tree: string;
  /** Index file; the host's own when nothing changed. */
  readonly index: string;
}

/** Writes everything that is not ignored as a tree; nothing of the workspace changes. */
export async function writeWorkingTree(
  host: HostRepository,
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<WrittenTree> {
  const entries = await statusEntries(host, signal);
  const own = join(host.gitDir, 'index');
  if (entries.length === 0) return { tree: await treeOf(host, await host.tip(), signal), index: own };
  await checkSizes(host, entries, rules);
  const index = join(host.gitDir, 'index.next');
  await copyFile(own, index);
  const what = 'Reading the working tree';
  await host.run({
    what,
    inTree: true,
    index,
    args: ['add', '--all', '--sparse', '--', '.'],
    env: { GIT_LITERAL_PATHSPECS: '1' },
    signal,
  });
  return { tree: await host.text({ what, index, args: ['write-tree'], signal }), index };
}

/** Makes a written index the host's own. */
export async function adoptIndex(host: HostRepository, written: WrittenTree): Promise<void> {
  const own = join(host.gitDir, 'index');
  if (written.index !== own) await rename(written.index, own);
}

/** Brings the files from what they are now to a tree; ignored files stay. */
export async function moveWorkingTree(
  host: HostRepository,
  rules: ResolvedRules,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const now = await writeWorkingTree(host, rules, signal);
  const index = join(host.gitDir, 'index.restore');
  await copyFile(now.index, index);
  await host.run({
    what: 'Restoring a checkpoint',
    inTree: true,
    index,
    args: ['read-tree', '-m', '-u', now.tree, target],
    signal,
  });
  await rm(index, { force: true });
}
