import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing } from './record.ts';

const options = { recursive: true, force: true, maxRetries: 3 } as const;

/** Gives the owner back the right to look into folders and to empty them; links are not followed. */
async function unlockFolders(path: string): Promise<void> {
  await chmod(path, 0o700).catch(orMissing);
  for (const entry of (await readdir(path, { withFileTypes: true }).catch(orMissing)) ?? []) {
    if (entry.isDirectory()) await unlockFolders(join(path, entry.name));
  }
}

/** Removes a tree, also one with folders that their owner may not write in (package caches, overlayfs' own). */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    await unlockFolders(path);
    await rm(path, options);
  }
}
