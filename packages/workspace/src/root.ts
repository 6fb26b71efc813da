import { randomBytes } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isMissing } from './files/record.ts';
import { removeTree } from './files/remove-tree.ts';

/** Folders below a manager's root. All are on one file system, so that a rename is atomic. */
export interface Root {
  /** The root itself. */
  readonly path: string;
  /** Bare mirrors, one folder per repository. */
  readonly mirrors: string;
  /** Immutable working trees, lower folders of overlays. */
  readonly templates: string;
  /** Pre-warmed working trees. */
  readonly pool: string;
  /** One record per lease. */
  readonly leases: string;
  /** One folder per workspace. */
  readonly workspaces: string;
  /** Things in the making; named by their maker. */
  readonly staging: string;
  /** Things to delete. */
  readonly trash: string;
  /** Signs of life. */
  readonly owners: string;
  /** Locks that are not a mirror's. */
  readonly locks: string;
  /** Empty home folder of the host's git. */
  readonly home: string;
  /** The host's git settings as a file. */
  readonly gitConfig: string;
}

/** Names the folders below a root. */
export function rootAt(path: string): Root {
  const at = (name: string): string => join(resolve(path), name);
  return {
    path: resolve(path),
    mirrors: at('mirrors'),
    templates: at('templates'),
    pool: at('pool'),
    leases: at('leases'),
    workspaces: at('workspaces'),
    staging: at('staging'),
    trash: at('trash'),
    owners: at('owners'),
    locks: at('locks'),
    home: at('home'),
    gitConfig: at('gitconfig'),
  };
}

/** Not `recursive`, which answers a full disk by ENOENT. */
async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

/** Makes the folders. Only the owner of the process may look into the root; workspaces are reached through it by path. */
export async function makeRoot(root: Root): Promise<void> {
  await mkdir(root.path, { recursive: true, mode: 0o711 });
  const { gitConfig: _, path: __, ...folders } = root;
  await Promise.all(Object.values(folders).map(makeFolder));
}

/** A fresh name for something in the making, which says whose it is. */
export function stagingPath(root: Root, ownerId: string): string {
  return join(root.staging, `${ownerId}.${randomBytes(6).toString('hex')}`);
}

/** Deletes a tree. */
type RemoveTree = (path: string) => Promise<void>;

/**
 * Takes a tree out of sight at once (a rename) and then deletes it; false when there was none.
 *
 * @param remove deletes it
 */
export async function discard(root: Root, path: string, remove: RemoveTree = removeTree): Promise<boolean> {
  const trash = join(root.trash, randomBytes(9).toString('hex'));
  try {
    await rename(path, trash);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  await remove(trash);
  return true;
}
