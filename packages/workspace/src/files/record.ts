import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';

/** True for the error of a missing file or folder. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Turns the error of a missing file into undefined and lets all others pass. */
export function orMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}

async function writeTemporary(path: string, text: string): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  return temporary;
}

/** Writes a record so that a reader sees the old one or the new one, never a part. */
export async function writeRecord(path: string, value: unknown): Promise<void> {
  const temporary = await writeTemporary(path, JSON.stringify(value));
  await rename(temporary, path);
}

/** Writes a record only where none is; false when there is one already. Atomic between processes. */
export async function createRecord(path: string, value: unknown): Promise<boolean> {
  const temporary = await writeTemporary(path, JSON.stringify(value));
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Reads a record; undefined when it is missing or (after a power cut) not whole. */
export async function readRecord<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch(orMissing);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
