import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RefusedByPolicyError } from '../errors.ts';
import { lock } from '../files/lock.ts';
import { orMissing } from '../files/record.ts';
import { conePatterns, configText, makeGitDir, writeAt } from '../git/git-dir.ts';
import { type Lease, listLeases } from '../lease/lease.ts';
import { mirrorFolder } from '../mirror/record.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import type { MakeRequest } from '../strategies/strategy.ts';
import { headOf } from '../template/tree.ts';

/**
 * The repository that the worktrees of one mirror's generation have in common: their branches, configuration, hooks
 * and objects. It borrows from the mirror as a workspace does, so that nothing done in it reaches the mirror.
 */
export function hubPath(services: Services, key: string, generation: number): string {
  return join(mirrorFolder(services.root, key), `hub-${generation}.git`);
}

/** Own folder of a worktree: HEAD, index, configuration. */
export function worktreeDir(hub: string, leaseId: string): string {
  return join(hub, 'worktrees', leaseId);
}

/** Runs something alone with a hub. */
async function withHub<T>({ root, owner }: Services, key: string, work: () => Promise<T>): Promise<T> {
  await using _lock = await lock({ folder: join(root.locks, `hub-${key}`), owner, owners: root.owners });
  return await work();
}

async function ensureHub(services: Services, hub: string, request: MakeRequest): Promise<void> {
  if ((await stat(hub).catch(orMissing)) !== undefined) return;
  const staged = stagingPath(services.root, services.owner.id);
  try {
    await makeGitDir(staged, { ...headOf(services, request), sparse: [], origin: request.origin });
    await writeAt(staged, 'HEAD', 'ref: refs/heads/none\n');
    // What is one worktree's own lies in a file of its own; that the hub itself has no tree is said there, too.
    await writeAt(staged, 'config.worktree', '[core]\n\tbare = true\n');
    const config = await readFile(join(staged, 'config'), 'utf8');
    await writeAt(staged, 'config', `${config}[extensions]\n\tworktreeConfig = true\n`);
    await rename(staged, hub);
  } finally {
    await discard(services.root, staged);
  }
}

/** Names the branch that a worktree was made with, for its removal. */
const branchFile = 'millrace-branch';

async function checkBranchIsFree(hub: string, branch: string): Promise<void> {
  for (const name of (await readdir(join(hub, 'worktrees')).catch(orMissing)) ?? []) {
    const head = await readFile(join(hub, 'worktrees', name, 'HEAD'), 'utf8').catch(orMissing);
    if (head?.trim() === `ref: refs/heads/${branch}`)
      throw new RefusedByPolicyError(
        'branch-in-use',
        `Branch ${branch} is checked out in worktree ${name}; take another`,
      );
  }
}

/** Puts a branch at the base; one that an earlier worktree left is moved there. */
async function startBranch(services: Services, hub: string, { branch, supply }: MakeRequest): Promise<void> {
  if (branch === undefined) return;
  await checkBranchIsFree(hub, branch);
  const args = ['update-ref', '--no-deref', `refs/heads/${branch}`, supply.commit];
  await services.git.run({ what: `Creating branch ${branch}`, gitDir: hub, args });
}

/** Makes the git directory of a worktree by hand, and the file in the tree that leads to it. */
export async function addWorktree(services: Services, request: MakeRequest, tree: string): Promise<string> {
  const { supply, lease, branch, identity, sparse } = request;
  const { key } = supply.address;
  const hub = hubPath(services, key, supply.generation);
  return await withHub(services, key, async () => {
    await ensureHub(services, hub, request);
    await startBranch(services, hub, request);
    const own = worktreeDir(hub, lease.leaseId);
    await mkdir(own, { recursive: true });
    await writeAt(own, branchFile, branch ?? '');
    await writeAt(own, 'commondir', '../..\n');
    await writeAt(own, 'gitdir', `${join(tree, '.git')}\n`);
    await writeAt(own, 'HEAD', branch === undefined ? `${supply.commit}\n` : `ref: refs/heads/${branch}\n`);
    await writeAt(own, 'config.worktree', configText({ ...headOf(services, request), identity }));
    if (sparse.length > 0) await writeAt(own, 'info/sparse-checkout', conePatterns(sparse));
    await writeFile(join(tree, '.git'), `gitdir: ${own}\n`);
    return own;
  });
}

/** Removes what a lease has in a hub: its worktree and the branch that it was made with. */
export async function removeWorktree(services: Services, lease: Lease): Promise<void> {
  const { strategy, generation, mirrorKey, leaseId } = lease;
  if (strategy !== 'worktree' || generation === undefined) return;
  const hub = hubPath(services, mirrorKey, generation);
  const own = worktreeDir(hub, leaseId);
  await withHub(services, mirrorKey, async () => {
    const branch = await readFile(join(own, branchFile), 'utf8').catch(orMissing);
    if (branch === undefined) return await rm(own, { recursive: true, force: true });
    if (branch !== '') {
      const args = ['update-ref', '-d', `refs/heads/${branch}`];
      await services.git.run({ what: `Removing branch ${branch}`, gitDir: hub, args, ok: [0, 1, 128] });
    }
    await rm(own, { recursive: true, force: true });
  });
}

/** Removes the hubs of a mirror in which nobody has a worktree: nothing is in them that somebody could miss. */
export async function dropIdleHubs(services: Services, key: string): Promise<void> {
  const folder = mirrorFolder(services.root, key);
  const names = (await readdir(folder).catch(orMissing)) ?? [];
  for (const name of names.filter((one) => /^hub-\d+\.git$/.test(one))) {
    await withHub(services, key, async () => {
      const generation = Number.parseInt(name.slice('hub-'.length), 10);
      const leases = await listLeases(services.root);
      const used = leases.some(
        (lease) => lease.strategy === 'worktree' && lease.mirrorKey === key && lease.generation === generation,
      );
      if (!used) await discard(services.root, join(folder, name));
    });
  }
}
