import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Evictable, evict, HIDDEN, lockEvictable } from '../eviction.ts';
import { isMissing, orMissing } from '../files/record.ts';
import { createSubvolume } from '../files/subvolume.ts';
import { fillIn } from '../mirror/partial.ts';
import { generationPath } from '../mirror/record.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import { buildLayer, nearestBase, rememberBase } from './delta.ts';
import { bookLayer, isBase, templateIdOf, unbookLayer } from './layers.ts';
import { buildTree, type TreeSource } from './tree.ts';

/** True when the template is ready; marks it as used. */
export async function touchTemplate(services: Services, id: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(join(services.root.templates, id), now, now);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function templatePin(services: Services, id: string): string {
  const [mirrorKey = '', name = ''] = id.split('/');
  return join(generationPath(services.root, mirrorKey, Number.parseInt(name, 10)), 'refs/millrace/templates', name);
}

function evictableTemplate({ root }: Services, id: string): Evictable {
  return { lock: `template-${id.replace('/', '-')}`, path: join(root.templates, id) };
}

/**
 * Has the template of a source, building it when there is none; one builder at a time, also between processes.
 *
 * @returns true when it was there already
 */
export async function ensureTemplate(services: Services, source: TreeSource, signal?: AbortSignal): Promise<boolean> {
  const id = templateIdOf(services, source);
  if (await touchTemplate(services, id)) return true;
  await using _lock = await lockEvictable(services, evictableTemplate(services, id), signal);
  if (await touchTemplate(services, id)) return true;
  await buildTemplate(services, source, id, signal);
  return false;
}

async function buildTemplate(services: Services, source: TreeSource, id: string, signal?: AbortSignal): Promise<void> {
  const { root, owner } = services;
  const staged = stagingPath(root, owner.id);
  const pin = templatePin(services, id);
  await mkdir(join(pin, '..'), { recursive: true });
  await writeFile(pin, `${source.supply.commit}\n`);
  try {
    await mkdir(staged);
    const base = await buildFiles(services, staged, source, id, signal);
    services.step('template:built');
    await mkdir(join(root.templates, id, '..'), { recursive: true });
    await rename(staged, join(root.templates, id));
    services.step('template:renamed');
    if (base === undefined) await rememberBase(services, id);
  } finally {
    await services.overlays.release(staged);
    await discard(root, staged);
  }
}

/** As a layer over a near one, else as a whole tree. @returns the base of a layer */
async function buildFiles(
  services: Services,
  staged: string,
  source: TreeSource,
  id: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const base = source.subvolume ? undefined : await nearestBase(services, source, signal);
  if (base !== undefined && (await bookLayer(services, base, id))) {
    if (source.supply.partial) await fillIn(services, source, signal);
    await buildLayer(services, staged, source, base, signal);
    return base;
  }
  await (source.subvolume ? createSubvolume : mkdir)(join(staged, 'tree'));
  await buildTree(services, join(staged, 'tree'), source, {}, signal);
  return undefined;
}

/** A template as the eviction sees it. */
export interface TemplateEntry {
  readonly id: string;
  /** Last use, in milliseconds since the epoch. */
  readonly usedAt: number;
}

/** All templates below the root, also one that an evictor which died left out of sight. */
export async function listTemplates(services: Services): Promise<TemplateEntry[]> {
  const { templates } = services.root;
  const entries = new Map<string, TemplateEntry>();
  for (const mirrorKey of await readdir(templates)) {
    for (const name of (await readdir(join(templates, mirrorKey)).catch(orMissing)) ?? []) {
      const info = await stat(join(templates, mirrorKey, name)).catch(orMissing);
      const id = `${mirrorKey}/${name.replace(HIDDEN, '')}`;
      if (info !== undefined) entries.set(id, { id, usedAt: info.mtimeMs });
    }
  }
  return [...entries.values()];
}

/** Removes a template unless somebody holds it or has built upon it. */
export function evictTemplate(services: Services, id: string, isHeld: () => Promise<boolean>): Promise<boolean> {
  return evict(services, evictableTemplate(services, id), {
    isHeld: async (path) => (await isHeld()) || (await isBase(services, id, path)),
    remove: async (hidden) => {
      await rm(templatePin(services, id), { force: true });
      await unbookLayer(services, id, hidden);
      return await discard(services.root, hidden);
    },
  });
}
