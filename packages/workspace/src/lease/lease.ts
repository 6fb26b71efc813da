import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, type Owner } from '../files/owner.ts';
import { createRecord, isMissing, orMissing, readRecord, writeRecord } from '../files/record.ts';
import { generationPath } from '../mirror/record.ts';
import type { Root } from '../root.ts';
import type { Services } from '../services.ts';
import type { StrategyName } from '../strategy.ts';

/** Objects that are borrowed from a mirror. */
export interface Borrowed {
  readonly mirrorKey: string;
  readonly generation: number;
  /** Commit that is pinned. */
  readonly commit: string;
}

/** What a workspace holds on to. Written before anything that it names exists, removed after all of it is gone. */
export interface Lease {
  readonly leaseId: string;
  readonly owner: Owner;
  readonly repo: string;
  readonly mirrorKey: string;
  readonly tenant: string | undefined;
  readonly state: 'making' | 'ready' | 'kept' | 'removing';
  readonly strategy: StrategyName;
  readonly createdAt: number;
  /** When a kept workspace may go, in milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
  /** Generation whose objects are borrowed; undefined until it is known. */
  readonly generation: number | undefined;
  /** Base commit; undefined until it is known. */
  readonly commit: string | undefined;
  /** Template below it, by its id. */
  readonly template: string | undefined;
  /** True when it uses large files of the mirror's store. */
  readonly lfs?: boolean;
  /** Mirror of the submodule that is being brought, before it is known what will be borrowed of it. */
  readonly awaits?: string | undefined;
  /** What its submodules borrow. */
  readonly submodules?: readonly Borrowed[] | undefined;
}

/** Folder of a workspace. */
export function workspaceFolder(root: Root, leaseId: string): string {
  return join(root.workspaces, leaseId);
}

function leasePath(root: Root, leaseId: string): string {
  return join(root.leases, `${leaseId}.json`);
}

/** Books a lease; false when the name is taken. */
export function createLease(root: Root, lease: Lease): Promise<boolean> {
  return createRecord(leasePath(root, lease.leaseId), lease);
}

/** Writes a new state of a lease. */
export function writeLease(root: Root, lease: Lease): Promise<void> {
  return writeRecord(leasePath(root, lease.leaseId), lease);
}

/** Reads a lease; undefined when there is none. */
export function readLease(root: Root, leaseId: string): Promise<Lease | undefined> {
  return readRecord<Lease>(leasePath(root, leaseId));
}

/** All leases of all managers. */
export async function listLeases(root: Root): Promise<Lease[]> {
  const names = await readdir(root.leases);
  const leases = await Promise.all(
    names.filter((name) => name.endsWith('.json')).map((name) => readRecord<Lease>(join(root.leases, name))),
  );
  return leases.filter((lease) => lease !== undefined);
}

/** True when nobody may use this lease any more. */
export async function isOver(services: Services, lease: Lease): Promise<boolean> {
  if (lease.state === 'kept') return lease.expiresAt !== undefined && lease.expiresAt <= services.clock.now();
  return !(await isAlive(services.root.owners, lease.owner));
}

/**
 * Takes a lease over for its removal: the rename has one winner. The new record names the remover, so that a remover
 * that dies is followed by another one.
 */
export async function seizeLease(services: Services, lease: Lease): Promise<Lease | undefined> {
  const { root, owner } = services;
  const path = leasePath(root, lease.leaseId);
  const seized: Lease = { ...lease, owner, state: 'removing' };
  const mark = `${path}.${owner.id}.seized`;
  try {
    await rename(path, mark);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  await writeLease(root, seized);
  await rm(mark, { force: true });
  return seized;
}

/** Puts back leases whose seizer died between its two steps. */
export async function restoreSeized(services: Services): Promise<void> {
  const { root, owners } = { root: services.root, owners: services.root.owners };
  for (const name of await readdir(root.leases)) {
    const match = /^(.+\.json)\.[0-9a-f-]{36}\.seized$/.exec(name);
    if (match?.[1] === undefined) continue;
    const [mark, path] = [join(root.leases, name), join(root.leases, match[1])];
    const lease = await readRecord<Lease>(mark);
    if (lease === undefined || (await readRecord<Lease>(path)) !== undefined) await rm(mark, { force: true });
    else if (!(await isAlive(owners, lease.owner))) await rename(mark, path).catch(orMissing);
  }
}

/** Forgets a lease. */
export function deleteLease(root: Root, leaseId: string): Promise<void> {
  return rm(leasePath(root, leaseId), { force: true });
}

/** All that a lease borrows, the base first. */
export function borrowedBy({ mirrorKey, generation, commit, submodules = [] }: Lease): readonly Borrowed[] {
  const base = generation === undefined || commit === undefined ? [] : [{ mirrorKey, generation, commit }];
  return [...base, ...submodules];
}

/** True when a lease uses a mirror, or is about to. */
export function usesMirror(lease: Lease, key: string): boolean {
  return lease.mirrorKey === key || lease.awaits === key || borrowsFrom(lease, key);
}

/** True when a lease borrows from a mirror, or from one generation of it. */
export function borrowsFrom(lease: Lease, key: string, generation?: number): boolean {
  return borrowedBy(lease).some(
    (one) => one.mirrorKey === key && (generation === undefined || one.generation === generation),
  );
}

function pinPath(root: Root, leaseId: string, { mirrorKey, generation }: Borrowed, place: number): string {
  // A submodule may be of the same repository, at another commit.
  const name = place === 0 ? leaseId : `${leaseId}.sub-${place}`;
  return join(generationPath(root, mirrorKey, generation), 'refs/millrace/pins', name);
}

/**
 * Keeps what a lease borrows from any garbage collection. The refs are written as loose files under names that nobody
 * else has, which is what git itself does, without a process; pins are never packed.
 */
export async function pin(root: Root, lease: Lease): Promise<void> {
  for (const [place, borrowed] of borrowedBy(lease).entries()) {
    const path = pinPath(root, lease.leaseId, borrowed, place);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `${borrowed.commit}\n`);
  }
}

/** Lets it go. */
export async function unpin(root: Root, lease: Lease): Promise<void> {
  for (const [place, borrowed] of borrowedBy(lease).entries()) {
    await rm(pinPath(root, lease.leaseId, borrowed, place), { force: true });
  }
}
