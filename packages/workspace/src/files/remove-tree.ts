import { chmodSync, lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isMissing } from './record.ts';

/** Milliseconds of removing after which others get their turn. */
const SLICE_MS = 2;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Does a step in a folder; once more, with the owner's rights given back, where they are missing. Undefined when it is gone. */
function stepIn<T>(folder: string, step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (codeOf(error) !== 'EACCES') throw error;
    chmodSync(folder, 0o700);
    return step();
  }
}

/** Removes in slices: `sliceEnd` is when the present one is over, by the monotonic clock. */
async function removeFolder(path: string, sliceEnd: number): Promise<number> {
  let end = sliceEnd;
  const entries = stepIn(path, () => readdirSync(path, { withFileTypes: true })) ?? [];
  for (const entry of entries) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) end = await removeFolder(inside, end);
    else stepIn(path, () => unlinkSync(inside));
    if (performance.now() < end) continue;
    await nextTurn();
    end = performance.now() + SLICE_MS;
  }
  stepIn(dirname(path), () => rmdirSync(path));
  return end;
}

/**
 * Removes a tree, also one with folders that their owner may not write in (package caches, overlayfs' own); links are
 * removed, not followed. On this thread, in slices: by the thread pool each of its many small steps costs ten times the
 * processor.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    const isFolder = stepIn(dirname(path), () => lstatSync(path))?.isDirectory();
    if (isFolder) await removeFolder(path, performance.now() + SLICE_MS);
    else stepIn(dirname(path), () => unlinkSync(path));
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EBUSY') throw error;
    // Somebody still writes into it.
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
