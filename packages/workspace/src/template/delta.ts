import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing, readRecord, writeRecord } from '../files/record.ts';
import { writeHead } from '../git/git-dir.ts';
import { settleIndex } from '../git/index-file.ts';
import { fillLfs, wantsLfs } from '../lfs/fill.ts';
import { mirrorFolder } from '../mirror/record.ts';
import type { Services } from '../services.ts';
import { baseFile, shapeOf, templateIdOf, templateTree } from './layers.ts';
import { headOf, type TreeSource } from './tree.ts';

/** Full templates of one shape that are remembered as possible bases. */
const REMEMBERED = 3;

/** A template is made as a layer when at most this share of the base's files changes; beyond, a layer saves little. */
const WORTHWHILE = 0.25;

function recentPath(services: Services, id: string): string {
  const [key = ''] = id.split('/');
  return join(mirrorFolder(services.root, key), `templates-${shapeOf(id)}.json`);
}

/** Remembers a full template as a base for later ones. A lost update costs a later full build, nothing else. */
export async function rememberBase(services: Services, id: string): Promise<void> {
  const path = recentPath(services, id);
  const known = (await readRecord<readonly string[]>(path)) ?? [];
  await writeRecord(path, [id, ...known.filter((other) => other !== id)].slice(0, REMEMBERED));
}

/** Entries of an index, by its header. */
async function entriesOf(index: string): Promise<number | undefined> {
  const file = await open(index).catch(orMissing);
  if (file === undefined) return undefined;
  try {
    const header = Buffer.alloc(12);
    await file.read(header, 0, 12, 0);
    return header.readUInt32BE(8);
  } finally {
    await file.close();
  }
}

async function changesBetween(
  services: Services,
  source: TreeSource,
  base: string,
  signal?: AbortSignal,
): Promise<number> {
  const { gitDir, commit } = source.supply;
  const args = ['diff-tree', '-r', '--name-only', '--no-renames', '--no-commit-id', base, commit];
  const listed = await services.git.text({ what: 'Comparing with a template', gitDir, args, signal });
  // Other attributes may give files to LFS, or take them away, that did not change themselves.
  if (wantsLfs(source) && /(^|\/)\.gitattributes"?$/m.test(listed)) return Number.POSITIVE_INFINITY;
  return listed === '' ? 0 : listed.split('\n').length;
}

/** The full template that differs least from a source; undefined when none is near enough. */
export async function nearestBase(
  services: Services,
  source: TreeSource,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const id = templateIdOf(services, source);
  const known = (await readRecord<readonly string[]>(recentPath(services, id))) ?? [];
  const measured = await Promise.all(
    known.map(async (base) => {
      const entries = await entriesOf(join(templateTree(services, base), '.git', 'index'));
      const commit = base.split('/')[1]?.split('-')[1];
      if (entries === undefined || commit === undefined) return { base, changes: Number.POSITIVE_INFINITY };
      const changes = await changesBetween(services, source, commit, signal);
      return { base, changes: changes > entries * WORTHWHILE ? Number.POSITIVE_INFINITY : changes };
    }),
  );
  const near = measured.filter(({ changes }) => Number.isFinite(changes));
  return near.sort((left, right) => left.changes - right.changes)[0]?.base;
}

/**
 * Writes a template as a layer over another one: an overlay, one git process that changes what differs, and what it
 * wrote is the layer. Costs what changed, in time and on disk. Leaves `tree` and `base` in the folder.
 */
export async function buildLayer(
  services: Services,
  folder: string,
  source: TreeSource,
  base: string,
  signal?: AbortSignal,
): Promise<void> {
  const { supply } = source;
  const { overlays } = services;
  const upper = join(folder, 'upper');
  await writeHead(join(upper, '.git'), headOf(services, source));
  const { path, enter } = await overlays.mount({ layers: [templateTree(services, base)], folder });
  services.step('template:layer-mounted');
  await services.git.run({
    what: `Writing the files of ${supply.commit}`,
    gitDir: join(path, '.git'),
    workTree: path,
    prefix: enter(path),
    args: ['read-tree', '--reset', '-u', supply.commit],
    signal,
  });
  await overlays.release(folder);
  if (wantsLfs(source)) await fillLfs(services, { tree: upper, gitDir: join(upper, '.git') }, source, signal);
  // Only what the layer itself holds is settled: the files below belong to the base, which nobody changes.
  await settleIndex(upper, join(upper, '.git', 'index'), supply.format);
  await rm(join(folder, 'tree'), { recursive: true });
  await rename(upper, join(folder, 'tree'));
  await rm(join(folder, 'work'), { recursive: true, force: true });
  await writeFile(join(folder, baseFile), base);
}
