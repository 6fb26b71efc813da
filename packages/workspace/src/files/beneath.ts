import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFile,
  readFileSync,
  renameSync,
  rmSync,
  writeFile,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RefusedByPolicyError } from '../errors.ts';
import { isMissing } from './record.ts';

/*
 * Reaching into a folder that somebody else writes. Each step opens one name below an opened folder and refuses links,
 * so that a link planted at any level, at any moment, leads nowhere. Linux has no `openat` in Node; the folder's
 * descriptor below `/proc/self/fd` is the same. Elsewhere the steps go by path, which is safe once the writer is gone.
 *
 * A file takes some twenty steps of a few microseconds each, which the thread pool would make ten times as dear; only
 * the content of a large file goes through it. Nothing here can wait for a writer: folders are opened as folders, files
 * without blocking.
 */
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL } = constants;

/** Bytes that are read or written at once. */
const SMALL_BYTES = 256 * 1024;

const readLarge = promisify(readFile) as (file: number) => Promise<Buffer>;
const writeLarge = promisify(writeFile) as (file: number, data: Buffer | string) => Promise<void>;

function below(folder: number, path: string, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${folder}/${name}` : join(path, name);
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

function openDirectory(path: string, shown: string): number {
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    return refuse(shown, error);
  }
}

/** Opens a folder below a root, name by name; undefined when it is missing. The caller closes it. */
function openFolder(root: string, names: readonly string[]): number | undefined {
  let path = root;
  let folder = openDirectory(root, root);
  for (const name of names) {
    const parent = folder;
    const shown = join(path, name);
    try {
      folder = openDirectory(below(parent, path, name), shown);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    } finally {
      closeSync(parent);
    }
    path = shown;
  }
  return folder;
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

async function inFolder<T>(
  root: string,
  names: readonly string[],
  work: (folder: number, path: string) => T | Promise<T>,
): Promise<T | undefined> {
  const folder = openFolder(root, names);
  if (folder === undefined) return undefined;
  try {
    return await work(folder, join(root, ...names));
  } finally {
    closeSync(folder);
  }
}

/**
 * Makes sure that a folder, where there is one, is reached without a link.
 *
 * @throws {RefusedByPolicyError} when it is not
 */
export async function checkFolder(root: string, names: readonly string[]): Promise<void> {
  await inFolder(root, names, () => undefined);
}

/** Names in a folder; empty when it is missing. */
export async function listBeneath(root: string, names: readonly string[]): Promise<readonly string[]> {
  return (await inFolder(root, names, (folder, path) => readdirSync(below(folder, path, '.')))) ?? [];
}

function openPlain(path: string, shown: string): number | undefined {
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    return isMissing(error) ? undefined : refuse(shown, error);
  }
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
    const shown = join(path, name);
    const file = openPlain(below(folder, path, name), shown);
    if (file === undefined) return undefined;
    try {
      const info = fstatSync(file);
      if (!info.isFile()) throw new RefusedByPolicyError('git-dir-link', `${shown} is no plain file`);
      if (info.size > maxBytes) {
        throw new RefusedByPolicyError('size', `${shown} has ${info.size} bytes; ${maxBytes} are allowed`);
      }
      return info.size > SMALL_BYTES ? await readLarge(file) : readFileSync(file);
    } finally {
      closeSync(file);
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
    rmSync(temporary, { force: true });
    const file = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      if (data.length > SMALL_BYTES) await writeLarge(file, data);
      else writeFileSync(file, data);
      if (mtime !== undefined) futimesSync(file, mtime, mtime);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, below(folder, path, name));
  });
}

async function makeBeneath(root: string, names: readonly string[]): Promise<void> {
  const name = names.at(-1) as string;
  await inFolder(root, names.slice(0, -1), (folder, path) => {
    try {
      mkdirSync(below(folder, path, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  });
}
