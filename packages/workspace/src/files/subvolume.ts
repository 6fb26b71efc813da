import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskFullError, StrategyUnavailableError } from '../errors.ts';
import { runTool } from '../tool.ts';
import { orMissing } from './record.ts';

/** The inode number of the top folder of every subvolume of btrfs, and of nothing else there. */
const SUBVOLUME_INODE = 256;

async function btrfs(...args: readonly string[]): Promise<void> {
  const { ok, words } = await runTool('btrfs', ['subvolume', ...args]);
  if (ok) return;
  const [line = ''] = words.split('\n');
  if (/no space left|quota exceeded/i.test(line)) throw new DiskFullError(`btrfs: ${line}. Free some`);
  throw new StrategyUnavailableError(`btrfs: ${line}`);
}

/** Makes a folder of which snapshots can be taken. */
export async function createSubvolume(path: string): Promise<void> {
  await btrfs('create', path);
}

/** Takes a snapshot, which may be written in. */
export async function snapshotSubvolume(from: string, to: string): Promise<void> {
  await btrfs('snapshot', from, to);
}

/** Deletes the subvolume of a workspace, which is far quicker than its files one by one; nothing when it is none. */
export async function releaseSubvolume(folder: string): Promise<void> {
  const tree = join(folder, 'tree');
  const info = await lstat(tree).catch(orMissing);
  // Who may not delete it removes its files and then the empty folder, as any other.
  if (info?.ino === SUBVOLUME_INODE) await runTool('btrfs', ['subvolume', 'delete', tree]);
}
