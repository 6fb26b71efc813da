import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, type Owner } from '../files/owner.ts';
import { readRecord } from '../files/record.ts';
import { releaseSubvolume } from '../files/subvolume.ts';
import { type DisposedEvent, notify } from '../instrumentation.ts';
import { restoreHiddenMirrors } from '../mirror/evict.ts';
import { discard } from '../root.ts';
import type { Services } from '../services.ts';
import { removeWorktree } from '../worktree/hub.ts';
import {
  deleteLease,
  isOver,
  type Lease,
  listLeases,
  restoreSeized,
  seizeLease,
  unpin,
  workspaceFolder,
} from './lease.ts';

/** Gives back what is not a plain file below a folder of a workspace: mounts, subvolumes. */
export async function releaseFolder(services: Services, folder: string): Promise<void> {
  await services.overlays.release(folder);
  await releaseSubvolume(folder);
}

/** Removes all that a lease holds, the lease itself last: whoever dies half-way is followed by a sweep. Safe to repeat. */
export async function removeLease(services: Services, lease: Lease, reason: DisposedEvent['reason']): Promise<void> {
  const { root, clock, instrumentation, removals } = services;
  const folder = workspaceFolder(root, lease.leaseId);
  await releaseFolder(services, folder);
  services.step('remove:released');
  await discard(root, folder, removals.remove);
  services.step('remove:discarded');
  await removeWorktree(services, lease);
  await unpin(root, lease);
  services.step('remove:unpinned');
  await deleteLease(root, lease.leaseId);
  notify(instrumentation.onDisposed, { leaseId: lease.leaseId, reason, lifetimeMs: clock.now() - lease.createdAt });
}

/** Removes a lease when it is over; false when somebody lives in it, or another one removes it. */
export async function sweepLease(services: Services, lease: Lease): Promise<boolean> {
  if (!(await isOver(services, lease))) return false;
  const reason = lease.state === 'kept' ? 'expired' : 'swept';
  const seized = await seizeLease(services, lease);
  if (seized === undefined) return false;
  await removeLease(services, seized, reason);
  return true;
}

async function sweepFolder(services: Services, folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    // A mount that was under way when its manager died may have arrived after the removal had begun.
    await releaseFolder(services, join(folder, name));
    await discard(services.root, join(folder, name));
  }
}

/**
 * The list of things is read before the list of owners: an owner gives its first sign of life before it makes anything,
 * so whoever made what is on the first list is on the second one, if alive.
 */
async function sweepStaging(services: Services): Promise<void> {
  const { root } = services;
  const names = await readdir(root.staging);
  const living = await livingOwners(services);
  for (const name of names.filter((name) => !living.has(name.split('.')[0] ?? ''))) {
    const path = join(root.staging, name);
    await releaseFolder(services, path);
    await discard(root, path);
  }
}

async function livingOwners(services: Services): Promise<ReadonlySet<string>> {
  const { root } = services;
  const living = new Set<string>();
  for (const name of await readdir(root.owners)) {
    const owner = await readRecord<Owner>(join(root.owners, name));
    const alive = owner !== undefined && (await isAlive(root.owners, owner));
    if (alive) living.add(owner.id);
  }
  return living;
}

/**
 * Removes what dead owners left: leases with all they hold, things in the making, things to delete. Puts back what they
 * had in hand and did not get to remove.
 */
export async function sweep(services: Services): Promise<readonly string[]> {
  await restoreSeized(services);
  await restoreHiddenMirrors(services);
  const swept: string[] = [];
  for (const lease of await listLeases(services.root)) {
    try {
      if (await sweepLease(services, lease)) swept.push(lease.leaseId);
    } catch (error) {
      services.log.warn({ leaseId: lease.leaseId, err: error }, 'A lease of a dead owner could not be removed');
    }
  }
  await sweepStaging(services);
  await sweepFolder(services, services.root.trash);
  if (swept.length > 0) services.log.info({ leases: swept }, 'Removed workspaces of dead owners');
  return swept;
}
