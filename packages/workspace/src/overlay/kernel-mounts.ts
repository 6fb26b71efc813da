import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { inBatches } from '../batches.ts';
import type { Owner } from '../files/owner.ts';
import { createLauncher, type Launcher } from '../launcher.ts';
import { type Root, stagingPath } from '../root.ts';
import { runTool, type ToolAnswer, toolEnvironment } from '../tool.ts';
import { mountPoints, mountsBelow, pointsBelow } from './mount-table.ts';
import {
  mountError,
  mountOptions,
  type OverlayMounts,
  type OverlayRequest,
  plainView,
  prepareFolders,
} from './mounts.ts';

/** Mounts per batch: few enough that one which outlives its manager ends soon. */
const BATCH = 64;

async function mountAlone(request: OverlayRequest): Promise<ToolAnswer> {
  const target = join(request.folder, 'tree');
  return await runTool('mount', ['-t', 'overlay', '-o', mountOptions(request), '--', 'millrace', target]);
}

/** All at once by a table of file systems; what did not work is tried alone, which tells why. */
async function mountBatch(
  root: Root,
  owner: Owner,
  launcher: Launcher,
  batch: readonly OverlayRequest[],
): Promise<readonly ToolAnswer[]> {
  const table = stagingPath(root, owner.id);
  const lines = batch.map((request) => `millrace ${join(request.folder, 'tree')} overlay ${mountOptions(request)} 0 0`);
  await writeFile(table, `${lines.join('\n')}\n`);
  const args = ['--all', '--fstab', table];
  const { ok } = await runTool('mount', args, launcher).finally(() => rm(table, { force: true }));
  if (ok) return batch.map(() => ({ ok: true, words: '' }));
  const mounted = new Set(await mountPoints());
  return await Promise.all(
    batch.map((request) => (mounted.has(join(request.folder, 'tree')) ? { ok: true, words: '' } : mountAlone(request))),
  );
}

/** A busy mount is detached, so that it goes with its last user. */
async function unmountAlone(point: string): Promise<void> {
  if (!(await runTool('umount', ['--', point])).ok) await runTool('umount', ['--lazy', '--', point]);
}

async function unmountBatch(launcher: Launcher, folders: readonly string[]): Promise<readonly undefined[]> {
  // One reading for all: the kernel writes the table anew for each.
  const table = await mountPoints();
  const points = folders.flatMap((folder) => pointsBelow(folder, table));
  if (points.length > 0 && !(await runTool('umount', ['--', ...points], launcher)).ok) {
    for (const folder of folders) for (const point of await mountsBelow(folder)) await unmountAlone(point);
  }
  return folders.map(() => undefined);
}

/** Mounts with this process's own right. */
export function kernelMounts(root: Root, owner: Owner): OverlayMounts {
  const launcher = createLauncher(toolEnvironment());
  // One at a time, so that what comes meanwhile makes a larger batch.
  const alone = pLimit(1);
  const mountSoon = inBatches<OverlayRequest, ToolAnswer>(BATCH, (batch) =>
    alone(() => mountBatch(root, owner, launcher, batch)),
  );
  /** What was mounted here and not given away: it needs no look at the table before it is unmounted. */
  const mine = new Set<string>();
  const unmountSoon = inBatches<string, undefined>(BATCH, (batch) => alone(() => unmountBatch(launcher, batch)));
  return {
    userAttributes: false,
    mount: async (request) => {
      await prepareFolders(request);
      const { ok, words } = await mountSoon(request);
      const tree = join(request.folder, 'tree');
      if (!ok) throw mountError(words);
      mine.add(request.folder);
      return plainView(tree);
    },
    release: async (folder) => {
      if (mine.delete(folder) || (await mountsBelow(folder)).length > 0) await unmountSoon(folder);
    },
    keep: async (folder) => void mine.delete(folder),
    close: () => launcher.close(),
  };
}
