import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HeldLock, lock } from '../files/lock.ts';
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

function lockTemplate(services: Services, id: string, signal?: AbortSignal): Promise<HeldLock> {
  const { root, owner } = services;
  return lock({ folder: join(root.locks, `template-${id.replace('/', '-')}`), owner, owners: root.owners, signal });
}

/**
 * Has the template of a source, building it when there is none; one builder at a time, also between processes.
 *
 * @returns true when it was there already
 */
export async function ensureTemplate(services: Services, source: TreeSource, signal?: AbortSignal): Promise<boolean> {
  const id = templateIdOf(services, source);
  if (await touchTemplate(services, id)) return true;
  await using _lock = await lockTemplate(services, id, signal);
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

/** Ending of a template that is out of sight while its holders are counted. */
const HIDDEN = '.evicting';

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

/**
 * Removes a template unless somebody holds it or has built upon it. It goes out of sight first and only then the
 * holders are counted: a checkout books its lease before it looks for the template, so either it finds none and makes
 * it anew, or it is counted here. An evictor that dies in between has removed nothing.
 */
export async function evictTemplate(services: Services, id: string, isHeld: () => Promise<boolean>): Promise<boolean> {
  const path = join(services.root.templates, id);
  const hidden = `${path}${HIDDEN}`;
  if ((await isHeld()) || (await isBase(services, id, path))) return false;
  await using _lock = await lockTemplate(services, id);
  const leftover = await exists(hidden);
  if (!leftover && !(await renamed(path, hidden))) return false;
  if ((await isHeld()) || (await isBase(services, id, hidden))) {
    if (!(await exists(path))) await rename(hidden, path);
    return false;
  }
  if (!(await exists(path))) await rm(templatePin(services, id), { force: true });
  await unbookLayer(services, id, hidden);
  await discard(services.root, hidden);
  return true;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(orMissing)) !== undefined;
}

/** False when there was nothing to rename. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
