import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, lutimesSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { CorruptRepoError } from '../errors.ts';
import { isMissing } from '../files/record.ts';

/**
 * Git's index holds each file's stat data, so that `git status` need not read the file. A fresh checkout is "racily
 * clean": the index is no younger than its files, which git answers by hashing all of them again at every status.
 * Settling sets the files' modification time some seconds back and writes the new stat data into the index: nothing is
 * racy any more, and a later edit is still seen, even one within the same second and of the same size.
 * Format: https://git-scm.com/docs/index-format (versions 2 and 3).
 */
const HEADER = 12;
const STAT = 40;
const EXTENDED = 0x4000;
const SKIP_WORKTREE = 0x4000;
const GITLINK = 0o160000;

/** How far back the modification times are set, in seconds: more than the granularity of any file system. */
const BACK_SECONDS = 5;

/** Files between two breaths of the event loop. */
const CHUNK = 400;

interface Entry {
  readonly offset: number;
  readonly path: Buffer;
  readonly onDisk: boolean;
}

function readEntry(index: Buffer, offset: number, idLength: number, version: number): { entry: Entry; next: number } {
  const flagsAt = offset + STAT + idLength;
  const extended = version >= 3 && (index.readUInt16BE(flagsAt) & EXTENDED) !== 0;
  const skipped = extended && (index.readUInt16BE(flagsAt + 2) & SKIP_WORKTREE) !== 0;
  const pathAt = flagsAt + (extended ? 4 : 2);
  const end = index.indexOf(0, pathAt);
  if (end < 0) throw new CorruptRepoError('An index file ends in the middle of an entry');
  const length = end - offset;
  const isGitlink = (index.readUInt32BE(offset + 24) & 0o170000) === GITLINK;
  return {
    entry: { offset, path: index.subarray(pathAt, end), onDisk: !skipped && !isGitlink },
    next: offset + length + 8 - (length % 8),
  };
}

function readEntries(index: Buffer, idLength: number): Entry[] {
  const version = index.readUInt32BE(4);
  if (index.toString('latin1', 0, 4) !== 'DIRC' || version < 2 || version > 3) {
    throw new CorruptRepoError('An index file has an unknown format');
  }
  const entries: Entry[] = [];
  let offset = HEADER;
  for (let count = index.readUInt32BE(8); count > 0; count -= 1) {
    const { entry, next } = readEntry(index, offset, idLength, version);
    entries.push(entry);
    offset = next;
  }
  return entries;
}

const BILLION = 1_000_000_000n;

function writeStat(index: Buffer, offset: number, stats: BigIntStats): void {
  const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
  index.writeUInt32BE(low(stats.ctimeNs / BILLION), offset);
  index.writeUInt32BE(low(stats.ctimeNs % BILLION), offset + 4);
  index.writeUInt32BE(low(stats.mtimeNs / BILLION), offset + 8);
  index.writeUInt32BE(low(stats.mtimeNs % BILLION), offset + 12);
  index.writeUInt32BE(low(stats.dev), offset + 16);
  index.writeUInt32BE(low(stats.ino), offset + 20);
  index.writeUInt32BE(low(stats.uid), offset + 28);
  index.writeUInt32BE(low(stats.gid), offset + 32);
  index.writeUInt32BE(low(stats.size), offset + 36);
}

function settleEntry(index: Buffer, tree: Buffer, entry: Entry, time: number): void {
  const path = Buffer.concat([tree, entry.path]);
  try {
    lutimesSync(path, time, time);
    writeStat(index, entry.offset, lstatSync(path, { bigint: true }));
  } catch (error) {
    // A file that could not be written (a name that this file system has no place for) stays as git left it.
    if (!isMissing(error)) throw error;
  }
}

/**
 * Settles the index of a fresh checkout.
 *
 * @param tree the working tree
 * @param indexPath its index
 * @param format hash of the repository
 */
export async function settleIndex(tree: string, indexPath: string, format: 'sha1' | 'sha256'): Promise<void> {
  const index = await readFile(indexPath);
  const idLength = format === 'sha256' ? 32 : 20;
  const prefix = Buffer.from(join(tree, '/'));
  const time = Math.floor(Date.now() / 1000) - BACK_SECONDS;
  const entries = readEntries(index, idLength);
  for (const [position, entry] of entries.entries()) {
    if (position % CHUNK === CHUNK - 1) await breathe();
    if (entry.onDisk) settleEntry(index, prefix, entry, time);
  }
  const body = index.subarray(0, index.length - idLength);
  createHash(format).update(body).digest().copy(index, body.length);
  await writeFile(`${indexPath}.new`, index);
  await rename(`${indexPath}.new`, indexPath);
}
