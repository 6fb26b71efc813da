import type { Stats } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing } from './record.ts';

/** Room that a tree takes. */
export interface Usage {
  /** Blocks on disk, in bytes; a file with several names counts once. */
  readonly bytes: number;
  /** Files and folders. */
  readonly inodes: number;
}

const BLOCK = 512;

/** Measures a tree without following links and without leaving its file system. */
export async function usageOf(path: string): Promise<Usage> {
  const seen = new Set<number>();
  const root = await lstat(path).catch(orMissing);
  if (root === undefined) return { bytes: 0, inodes: 0 };
  let bytes = 0;
  const count = (info: Stats): boolean => {
    if (info.dev !== root.dev || seen.has(info.ino)) return false;
    seen.add(info.ino);
    bytes += info.blocks * BLOCK;
    return info.isDirectory();
  };
  const folders = count(root) ? [path] : [];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of (await readdir(folder).catch(orMissing)) ?? []) {
      const info = await lstat(join(folder, name)).catch(orMissing);
      if (info !== undefined && count(info)) folders.push(join(folder, name));
    }
  }
  return { bytes, inodes: seen.size };
}

/** Bytes that the file system has left for us. */
export async function freeBytes(path: string): Promise<number> {
  const info = await statfs(path);
  return info.bavail * info.bsize;
}
