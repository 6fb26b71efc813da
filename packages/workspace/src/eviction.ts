import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type HeldLock, lock } from './files/lock.ts';
import { orMissing } from './files/record.ts';
import type { Services } from './services.ts';

/** Ending of what is out of sight while its holders are counted. */
export const HIDDEN = '.evicting';

/** What several processes use, and any of them may evict. */
export interface Evictable {
  /** Name of the lock under which it is made, changed and evicted. */
  readonly lock: string;
  /** File or folder by which it is found. Made and renamed under the lock only. */
  readonly path: string;
}

/** How one kind of thing is evicted. */
export interface EvictionSteps {
  /** Counts all who use it; `path` is where it lies now. */
  readonly isHeld: (path: string) => Promise<boolean>;
  /** Removes it from where it is hidden; false when there was nothing. */
  readonly remove: (hidden: string) => Promise<boolean>;
}

/**
 * Takes the lock of something, and puts back what an evictor that died had hidden: its holders were not counted to the
 * end.
 */
export async function lockEvictable(services: Services, evictable: Evictable, signal?: AbortSignal): Promise<HeldLock> {
  const { root, owner } = services;
  const held = await lock({ folder: join(root.locks, evictable.lock), owner, owners: root.owners, signal });
  try {
    await putBack(evictable.path);
  } catch (error) {
    await held.release();
    throw error;
  }
  return held;
}

async function putBack(path: string): Promise<void> {
  await rename(`${path}${HIDDEN}`, path).catch(orMissing);
}

/**
 * Removes something unless somebody holds it. It goes out of sight first and only then the holders are counted: a
 * checkout books its lease before it looks, so either it finds nothing and makes it anew, or it is counted here. Hidden
 * things stay beside their place, where no sweep deletes them: an evictor that dies in between has removed nothing.
 */
export async function evict(
  services: Services,
  evictable: Evictable,
  { isHeld, remove }: EvictionSteps,
): Promise<boolean> {
  const { path } = evictable;
  if (await isHeld(path)) return false;
  await using _lock = await lockEvictable(services, evictable);
  services.step('evict:unheld');
  await rename(path, `${path}${HIDDEN}`).catch(orMissing);
  services.step('evict:hidden');
  if (!(await isHeld(`${path}${HIDDEN}`))) return await remove(`${path}${HIDDEN}`);
  await putBack(path);
  return false;
}
