import { constants } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { isMissing, orMissing } from '../files/record.ts';
import { listLeases } from '../lease/lease.ts';
import { mirrorFolder } from '../mirror/record.ts';
import type { Root } from '../root.ts';
import type { Services } from '../services.ts';
import { type LfsPointer, objectNames, POINTER_BYTES } from './pointer.ts';

/**
 * The large files of one repository, shared by all its workspaces, beside the generations of its mirror. They are not
 * shared between repositories: to know a hash is no proof of the right to read.
 */
export function lfsFolder(root: Root, key: string): string {
  return join(mirrorFolder(root, key), 'lfs');
}

/** Place of an object below a folder `lfs`. */
export function objectPath(lfs: string, oid: string): string {
  return join(lfs, 'objects', ...objectNames(oid));
}

/** What is remembered of a commit. */
export function commitRecord(root: Root, key: string, commit: string): string {
  return join(lfsFolder(root, key), 'commits', `${commit}.json`);
}

/** Lets filters (and git-lfs) find the store beside the objects that a workspace borrows. */
export async function linkStore(gitDir: string): Promise<void> {
  await symlink('../lfs', join(gitDir, 'lfs')).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

/** True when a whole object is there; it is marked as used. One of another size was left by a power cut. */
async function touch(services: Services, lfs: string, { oid, size }: LfsPointer): Promise<boolean> {
  const path = objectPath(lfs, oid);
  const now = new Date(services.clock.now());
  const info = await stat(path).catch(orMissing);
  if (info?.size !== size) return false;
  return await utimes(path, now, now).then(
    () => true,
    (error: unknown) => orMissing(error) ?? false,
  );
}

/** Objects that the store lacks, each once; the others are marked as used. */
export async function missingObjects(
  services: Services,
  key: string,
  wanted: readonly LfsPointer[],
): Promise<readonly LfsPointer[]> {
  const lfs = lfsFolder(services.root, key);
  const objects = [...new Map(wanted.map((pointer) => [pointer.oid, pointer])).values()];
  const there = await Promise.all(objects.map((pointer) => touch(services, lfs, pointer)));
  return objects.filter((_, at) => !there[at]);
}

/** Puts a whole, checked file into its place in a store. */
export async function addObject(lfs: string, oid: string, from: string): Promise<void> {
  const path = objectPath(lfs, oid);
  await mkdir(join(path, '..'), { recursive: true });
  await chmod(from, 0o444);
  await rename(from, path);
}

/** A working tree and its git directory, on one file system. */
export interface TreePlace {
  readonly tree: string;
  readonly gitDir: string;
}

/** Copies at a time. */
const COPIES = 4;

/** Replaces one pointer in a tree by its content. Copied, by reference where the file system can, never linked. */
async function placeOne(
  lfs: string,
  { tree, gitDir }: TreePlace,
  file: LfsPointer & { readonly path: string },
): Promise<boolean> {
  const path = join(tree, file.path);
  const info = await lstat(path).catch(orMissing);
  // Not in this layer, or not what git wrote of the pointer.
  if (!info?.isFile() || info.size >= POINTER_BYTES) return true;
  const copy = join(gitDir, `lfs-${file.oid}-${info.ino}`);
  try {
    await copyFile(objectPath(lfs, file.oid), copy, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  await chmod(copy, info.mode);
  await rename(copy, path);
  return true;
}

/** Writes the contents into a tree of pointers; false when the store lost one meanwhile. */
export async function placeObjects(
  services: Services,
  key: string,
  place: TreePlace,
  files: readonly (LfsPointer & { readonly path: string })[],
): Promise<boolean> {
  const lfs = lfsFolder(services.root, key);
  const limit = pLimit(COPIES);
  const placed = await Promise.all(files.map((file) => limit(() => placeOne(lfs, place, file))));
  return !placed.includes(false);
}

/** An object as the eviction sees it. */
export interface LfsObjectEntry {
  readonly key: string;
  readonly path: string;
  /** Last use, in milliseconds since the epoch. */
  readonly usedAt: number;
}

/** All objects of all stores. */
export async function listLfsObjects(services: Services): Promise<readonly LfsObjectEntry[]> {
  const entries: LfsObjectEntry[] = [];
  for (const key of await readdir(services.root.mirrors)) {
    const objects = join(lfsFolder(services.root, key), 'objects');
    for (const entry of (await readdir(objects, { recursive: true, withFileTypes: true }).catch(orMissing)) ?? []) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const info = await stat(path).catch(orMissing);
      if (info !== undefined) entries.push({ key, path, usedAt: info.mtimeMs });
    }
  }
  return entries;
}

/**
 * Removes an object unless a living workspace may want it: a checkout marks all its objects after it has booked its
 * lease, so what was used last before the oldest such lease belongs to none. Trees have copies and miss nothing.
 */
export async function evictLfsObject(services: Services, { key, path, usedAt }: LfsObjectEntry): Promise<boolean> {
  const holders = (await listLeases(services.root)).filter(({ mirrorKey, lfs }) => lfs && mirrorKey === key);
  // Times of files are kept to the millisecond, or to two seconds on old file systems.
  if (holders.some(({ createdAt }) => usedAt + 2000 >= createdAt)) return false;
  await rm(path, { force: true });
  return true;
}

/** Milliseconds after which what is remembered of a commit is forgotten; it is soon found again. */
const COMMIT_MS = 7 * 24 * 60 * 60 * 1000;

/** Forgets what was remembered of commits long ago. */
export async function forgetCommits(services: Services, key: string): Promise<void> {
  const folder = join(lfsFolder(services.root, key), 'commits');
  for (const name of (await readdir(folder).catch(orMissing)) ?? []) {
    const info = await stat(join(folder, name)).catch(orMissing);
    if (info !== undefined && services.clock.now() - info.mtimeMs > COMMIT_MS)
      await rm(join(folder, name), { force: true });
  }
}
