import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

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

/*
 * Records are a few hundred bytes, and a workspace needs dozens of steps like theirs. A step costs 5 to 10 µs here, and
 * 60 to 90 by the thread pool (measured on two virtual cores), which was a third of what a run cost its worker.
 */

function writeTemporary(path: string, text: string): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  writeFileSync(temporary, text, { flag: 'wx', mode: 0o600 });
  return temporary;
}

/** Writes a record so that a reader sees the old one or the new one, never a part. */
export async function writeRecord(path: string, value: unknown): Promise<void> {
  renameSync(writeTemporary(path, JSON.stringify(value)), path);
}

/** Writes a record only where none is; false when there is one already. Atomic between processes. */
export async function createRecord(path: string, value: unknown): Promise<boolean> {
  const temporary = writeTemporary(path, JSON.stringify(value));
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function readOrMissing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return orMissing(error);
  }
}

/** Reads a record; undefined when it is missing or (after a power cut) not whole. */
export async function readRecord<T>(path: string): Promise<T | undefined> {
  const text = readOrMissing(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
