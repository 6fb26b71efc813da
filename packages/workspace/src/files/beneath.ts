import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RefusedByPolicyError } from '../errors.ts';
import { isMissing } from './record.ts';

/**
 * Reaching into a folder that somebody else writes. Each step opens one name below an opened folder and refuses links,
 * so that a link planted at any level, at any moment, leads nowhere. Linux has no `openat` in Node; the folder's
 * descriptor below `/proc/self/fd` is the same. Elsewhere the steps go by path, which is safe once the writer is gone.
 */
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL } = constants;

function below(folder: FileHandle, path: string, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${folder.fd}/${name}` : join(path, name);
}

function refuse(path: string, error: unknown): never {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ELOOP' || code === 'ENOTDIR' || code === 'EMLINK') {
    throw new RefusedByPolicyError(
      'git-dir-link',
      `${path} is no plain file or folder; the workspace's .git was tampered with`,
      { cause: error },
    );
  }
  throw error;
}

/** Opens a folder below a root, name by name; undefined when it is missing. The caller closes it. */
export async function openFolder(root: string, names: readonly string[]): Promise<FileHandle | undefined> {
  let path = root;
  let folder = await open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => refuse(root, error));
  for (const name of names) {
    const next = await open(below(folder, path, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(
      (error: unknown) => error,
    );
    await folder.close();
    path = join(path, name);
    if (next instanceof Error) return isGone(next) ? undefined : refuse(path, next);
    folder = next as FileHandle;
  }
  return folder;
}

function isGone(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

async function inFolder<T>(
  root: string,
  names: readonly string[],
  work: (folder: FileHandle, path: string) => Promise<T>,
): Promise<T | undefined> {
  const folder = await openFolder(root, names);
  if (folder === undefined) return undefined;
  try {
    return await work(folder, join(root, ...names));
  } finally {
    await folder.close();
  }
}

/** Names in a folder; empty when it is missing. */
export async function listBeneath(root: string, names: readonly string[]): Promise<readonly string[]> {
  return (await inFolder(root, names, (folder, path) => readdir(below(folder, path, '.')))) ?? [];
}

/**
 * Reads a plain file; undefined when it is missing.
 *
 * @throws {RefusedByPolicyError} for links, devices and pipes, and for more than `maxBytes`
 */
export async function readBeneath(
  root: string,
  names: readonly string[],
  maxBytes: number,
): Promise<Buffer | undefined> {
  const name = names.at(-1) as string;
  return await inFolder(root, names.slice(0, -1), async (folder, path) => {
    const opened = await open(below(folder, path, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
      return isMissing(error) ? undefined : refuse(join(path, name), error);
    });
    if (opened === undefined) return undefined;
    try {
      const info = await opened.stat();
      if (!info.isFile()) throw new RefusedByPolicyError('git-dir-link', `${join(path, name)} is no plain file`);
      if (info.size > maxBytes) {
        throw new RefusedByPolicyError('size', `${join(path, name)} has ${info.size} bytes; ${maxBytes} are allowed`);
      }
      return await opened.readFile();
    } finally {
      await opened.close();
    }
  });
}

/** Writes a plain file, with the folders on its way; a file of that name is replaced, never followed or written into. */
export async function writeBeneath(
  root: string,
  names: readonly string[],
  data: Buffer | string,
  mtime?: Date,
): Promise<void> {
  const name = names.at(-1) as string;
  for (let depth = 1; depth < names.length; depth += 1) await makeBeneath(root, names.slice(0, depth));
  await inFolder(root, names.slice(0, -1), async (folder, path) => {
    const temporary = below(folder, path, `${name}.millrace`);
    await rm(temporary, { force: true });
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      await file.writeFile(data);
      if (mtime !== undefined) await file.utimes(mtime, mtime);
    } finally {
      await file.close();
    }
    await rename(temporary, below(folder, path, name));
  });
}

async function makeBeneath(root: string, names: readonly string[]): Promise<void> {
  const name = names.at(-1) as string;
  await inFolder(root, names.slice(0, -1), async (folder, path) => {
    await mkdir(below(folder, path, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  });
}
