import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lock } from '../files/lock.ts';
import { isMissing, orMissing } from '../files/record.ts';
import { generationPath } from '../mirror/record.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import { buildTree, type TreeSource } from './tree.ts';

/** Name of the template of a commit in a generation with a cone: `<mirror>/<generation>-<commit>-<cone>`. */
export function templateId(
  services: Services,
  mirrorKey: string,
  generation: number,
  commit: string,
  sparse: readonly string[],
): string {
  const shape = JSON.stringify([sparse, services.symlinks]);
  const cone = createHash('sha256').update(shape).digest('hex').slice(0, 12);
  return `${mirrorKey}/${generation}-${commit}-${cone}`;
}

/** The id for a source. */
export function templateIdOf(services: Services, source: TreeSource): string {
  const { address, generation, commit } = source.supply;
  return templateId(services, address.key, generation, commit, source.sparse);
}

/** Working tree of a template. It never changes once it is there. */
export function templateTree(services: Services, id: string): string {
  return join(services.root.templates, id, 'tree');
}

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

/**
 * Has the template of a source, building it when there is none; one builder at a time, also between processes.
 *
 * @returns true when it was there already
 */
export async function ensureTemplate(services: Services, source: TreeSource, signal?: AbortSignal): Promise<boolean> {
  const id = templateIdOf(services, source);
  if (await touchTemplate(services, id)) return true;
  const { root, owner } = services;
  const folder = join(root.locks, `template-${id.replace('/', '-')}`);
  await using _lock = await lock({ folder, owner, owners: root.owners, signal });
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
    await mkdir(join(staged, 'tree'), { recursive: true });
    await buildTree(services, join(staged, 'tree'), source, {}, signal);
    services.step('template:built');
    await mkdir(join(root.templates, id, '..'), { recursive: true });
    await rename(staged, join(root.templates, id));
    services.step('template:renamed');
  } finally {
    await discard(root, staged);
  }
}

/** A template as the eviction sees it. */
export interface TemplateEntry {
  readonly id: string;
  /** Last use, in milliseconds since the epoch. */
  readonly usedAt: number;
}

/** All templates below the root. */
export async function listTemplates(services: Services): Promise<TemplateEntry[]> {
  const { templates } = services.root;
  const entries: TemplateEntry[] = [];
  for (const mirrorKey of await readdir(templates)) {
    for (const name of (await readdir(join(templates, mirrorKey)).catch(orMissing)) ?? []) {
      const info = await stat(join(templates, mirrorKey, name)).catch(orMissing);
      if (info !== undefined) entries.push({ id: `${mirrorKey}/${name}`, usedAt: info.mtimeMs });
    }
  }
  return entries;
}

/**
 * Removes a template unless somebody holds it. It goes out of sight first and only then the holders are counted: a
 * checkout books its lease before it looks for the template, so either it finds none, or it is counted here.
 */
export async function evictTemplate(services: Services, id: string, isHeld: () => Promise<boolean>): Promise<boolean> {
  const { root, owner } = services;
  const hidden = stagingPath(root, owner.id);
  const path = join(root.templates, id);
  if (
    (await rename(path, hidden).catch(orMissing)) === undefined &&
    (await stat(hidden).catch(orMissing)) === undefined
  )
    return false;
  if (await isHeld()) {
    await rename(hidden, path);
    return false;
  }
  await rm(templatePin(services, id), { force: true });
  await discard(root, hidden);
  return true;
}
