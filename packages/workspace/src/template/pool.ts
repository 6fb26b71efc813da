import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, orMissing } from '../files/record.ts';
import { generationPath } from '../mirror/record.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import { templateIdOf } from './layers.ts';
import { buildTree, type TreeSource } from './tree.ts';

function shelf(services: Services, id: string): string {
  return join(services.root.pool, id);
}

function shelfPin(services: Services, id: string): string {
  const [mirrorKey = '', name = ''] = id.split('/');
  return join(generationPath(services.root, mirrorKey, Number.parseInt(name, 10)), 'refs/millrace/pool', name);
}

/** Members that are ready for a source. */
export async function poolReady(services: Services, source: TreeSource): Promise<number> {
  return ((await readdir(shelf(services, templateIdOf(services, source))).catch(orMissing)) ?? []).length;
}

/** Takes a member by renaming it into `folder`; false when none is left. A rename has one winner. */
export async function takeMember(services: Services, source: TreeSource, folder: string): Promise<boolean> {
  const path = shelf(services, templateIdOf(services, source));
  const member = join(folder, 'member');
  for (const name of (await readdir(path).catch(orMissing)) ?? []) {
    try {
      await rename(join(path, name), member);
    } catch (error) {
      if (isMissing(error)) continue;
      throw error;
    }
    await rename(join(member, 'tree'), join(folder, 'tree'));
    await rename(join(member, 'pristine-index'), join(folder, 'pristine-index'));
    await rmdir(member);
    return true;
  }
  return false;
}

async function addMember(services: Services, source: TreeSource, signal?: AbortSignal): Promise<void> {
  const { root, owner } = services;
  const staged = stagingPath(root, owner.id);
  const id = templateIdOf(services, source);
  try {
    await mkdir(join(staged, 'tree'), { recursive: true });
    await buildTree(services, join(staged, 'tree'), source, {}, signal);
    await copyFile(join(staged, 'tree', '.git', 'index'), join(staged, 'pristine-index'));
    services.step('pool:built');
    await mkdir(shelf(services, id), { recursive: true });
    await rename(staged, join(shelf(services, id), randomBytes(6).toString('hex')));
  } finally {
    await discard(root, staged);
  }
}

/** Makes members until there are so many. */
export async function restock(
  services: Services,
  source: TreeSource,
  size: number,
  signal?: AbortSignal,
): Promise<void> {
  const pin = shelfPin(services, templateIdOf(services, source));
  await mkdir(join(pin, '..'), { recursive: true });
  await writeFile(pin, `${source.supply.commit}\n`);
  while (signal?.aborted !== true && (await poolReady(services, source)) < size) {
    await addMember(services, source, signal);
  }
}

/** A shelf of the pool as the eviction sees it. */
export interface ShelfEntry {
  readonly id: string;
  readonly members: number;
  /** Last change, in milliseconds since the epoch. */
  readonly usedAt: number;
}

/** All shelves below the root. */
export async function listShelves(services: Services): Promise<ShelfEntry[]> {
  const { pool } = services.root;
  const entries: ShelfEntry[] = [];
  for (const mirrorKey of await readdir(pool)) {
    for (const name of (await readdir(join(pool, mirrorKey)).catch(orMissing)) ?? []) {
      const path = join(pool, mirrorKey, name);
      const info = await stat(path).catch(orMissing);
      const members = ((await readdir(path).catch(orMissing)) ?? []).length;
      if (info !== undefined) entries.push({ id: `${mirrorKey}/${name}`, members, usedAt: info.mtimeMs });
    }
  }
  return entries;
}

/** Removes a shelf with its members and its pin. A member that is being taken has left it already. */
export async function evictShelf(services: Services, id: string): Promise<void> {
  await discard(services.root, shelf(services, id));
  await rm(shelfPin(services, id), { force: true });
}
