import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, orMissing } from '../files/record.ts';
import type { Services } from '../services.ts';
import type { TreeSource } from './tree.ts';

/** Name of the template of a commit in a generation with a cone: `<mirror>/<generation>-<commit>-<shape>`. */
export function templateId(
  services: Services,
  mirrorKey: string,
  generation: number,
  commit: string,
  { sparse, subvolume, lfs }: Omit<TreeSource, 'supply'>,
): string {
  const { symlinks, overlays } = services;
  // Layers carry marks of the way they were mounted in.
  const kind = subvolume ? ['subvolume'] : overlays.userAttributes ? ['user'] : [];
  const shape = JSON.stringify([sparse, symlinks, ...kind, ...(lfs ? ['lfs'] : [])]);
  return `${mirrorKey}/${generation}-${commit}-${createHash('sha256').update(shape).digest('hex').slice(0, 12)}`;
}

/** The id for a source. */
export function templateIdOf(services: Services, source: TreeSource): string {
  const { address, generation, commit } = source.supply;
  return templateId(services, address.key, generation, commit, source);
}

/** What templates must have in common for one to be a layer over the other: generation, cone, links. */
export function shapeOf(id: string): string {
  const [generation, , cone] = (id.split('/')[1] ?? '').split('-');
  return `${generation}-${cone}`;
}

/** Working tree of a template, or the layer that it adds to its base. It never changes once it is there. */
export function templateTree(services: Services, id: string): string {
  return join(services.root.templates, id, 'tree');
}

/** File of a template that names the one below it. */
export const baseFile = 'base';

/** Layers of a template, the uppermost first. */
export async function templateLayers(services: Services, id: string): Promise<readonly string[]> {
  const base = await readFile(join(services.root.templates, id, baseFile), 'utf8').catch(orMissing);
  return [id, ...(base === undefined ? [] : [base])].map((layer) => templateTree(services, layer));
}

/** True when all layers of a template are in their places. */
export async function hasTemplate(services: Services, id: string): Promise<boolean> {
  const layers = await templateLayers(services, id);
  return !(await Promise.all(layers.map((layer) => stat(layer).catch(orMissing)))).includes(undefined);
}

function marker(services: Services, base: string, id: string): string {
  return join(services.root.templates, base, 'layers', id.split('/')[1] as string);
}

/**
 * Books a template as a layer over another one, before it is built; false when the base has gone. An eviction takes the
 * base out of sight before it looks for such marks, so either it sees this one, or this finds no base.
 */
export async function bookLayer(services: Services, base: string, id: string): Promise<boolean> {
  const path = marker(services, base, id);
  try {
    await mkdir(join(path, '..')).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await writeFile(path, '');
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Takes the mark back; `folder` is where the template lies now. */
export async function unbookLayer(services: Services, id: string, folder: string): Promise<void> {
  const base = await readFile(join(folder, baseFile), 'utf8').catch(orMissing);
  if (base !== undefined) await rm(marker(services, base, id), { force: true });
}

/** Milliseconds after which the mark of a template that does not exist was left by a builder that died. */
const BUILDING_MS = 60 * 60 * 1000;

/** True when a template is a base of others that exist or are being built; `folder` is where it lies now. */
export async function isBase(services: Services, id: string, folder: string): Promise<boolean> {
  const [key = ''] = id.split('/');
  for (const name of (await readdir(join(folder, 'layers')).catch(orMissing)) ?? []) {
    if ((await stat(join(services.root.templates, key, name)).catch(orMissing)) !== undefined) return true;
    const mark = await stat(join(folder, 'layers', name)).catch(orMissing);
    if (mark !== undefined && services.clock.now() - mark.mtimeMs < BUILDING_MS) return true;
  }
  return false;
}
