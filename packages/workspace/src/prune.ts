import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskFullError } from './errors.ts';
import { freeBytes, usageOf } from './files/disk-usage.ts';
import { orMissing } from './files/record.ts';
import { type EvictedEvent, notify } from './instrumentation.ts';
import { borrowsFrom, listLeases } from './lease/lease.ts';
import { sweep } from './lease/remove.ts';
import { evictLfsObject, forgetCommits, listLfsObjects } from './lfs/store.ts';
import type { PruneReport } from './manager.ts';
import { evictMirror } from './mirror/evict.ts';
import { maintain } from './mirror/maintenance.ts';
import { generationPath, mirrorFolder, readMirror, recordPath } from './mirror/record.ts';
import { checkTenant, overQuota } from './quota.ts';
import { discard } from './root.ts';
import type { Services } from './services.ts';
import { evictShelf, listShelves } from './template/pool.ts';
import { evictTemplate, listTemplates } from './template/templates.ts';
import { dropIdleHubs } from './worktree/hub.ts';

/** Something that may go, with the time of its last use. */
interface Candidate {
  readonly kind: EvictedEvent['kind'];
  readonly usedAt: number;
  readonly path: string;
  readonly evict: () => Promise<boolean>;
}

async function isTemplateHeld(services: Services, id: string): Promise<boolean> {
  return (await listLeases(services.root)).some((lease) => lease.template === id);
}

async function candidatesForEviction(services: Services): Promise<Candidate[]> {
  const { root } = services;
  const templates = (await listTemplates(services)).map(({ id, usedAt }) => ({
    kind: 'template' as const,
    usedAt,
    path: join(root.templates, id),
    evict: () => evictTemplate(services, id, () => isTemplateHeld(services, id)),
  }));
  const shelves = (await listShelves(services)).map(({ id, usedAt }) => ({
    kind: 'pool' as const,
    usedAt,
    path: join(root.pool, id),
    evict: async () => {
      await evictShelf(services, id);
      return true;
    },
  }));
  const mirrors: Candidate[] = [];
  for (const key of await readdir(root.mirrors)) {
    const info = await stat(recordPath(root, key)).catch(orMissing);
    mirrors.push({
      kind: 'mirror',
      usedAt: info?.mtimeMs ?? 0,
      path: mirrorFolder(root, key),
      evict: () => evictMirror(services, key),
    });
  }
  const largeFiles = (await listLfsObjects(services)).map((object) => ({
    kind: 'lfs' as const,
    usedAt: object.usedAt,
    path: object.path,
    evict: () => evictLfsObject(services, object),
  }));
  const byUse = (left: Candidate, right: Candidate): number => left.usedAt - right.usedAt;
  // Templates and pool members are cheap to make again; large files cost the network, a mirror most of it.
  return [...[...templates, ...shelves].sort(byUse), ...largeFiles.sort(byUse), ...mirrors.sort(byUse)];
}

interface Room {
  readonly freed: number;
  readonly templates: number;
  readonly mirrors: number;
  readonly largeFiles: number;
}

function addRoom({ freed, templates, mirrors, largeFiles }: Room, kind: Candidate['kind'], bytes: number): Room {
  const one = (wanted: boolean): number => (wanted ? 1 : 0);
  return {
    freed: freed + bytes,
    templates: templates + one(kind === 'template' || kind === 'pool'),
    mirrors: mirrors + one(kind === 'mirror'),
    largeFiles: largeFiles + one(kind === 'lfs'),
  };
}

/** Evicts, longest unused first, until `enough` says so. */
async function evictUntil(services: Services, enough: (freed: number) => Promise<boolean>): Promise<Room> {
  let room: Room = { freed: 0, templates: 0, mirrors: 0, largeFiles: 0 };
  if (await enough(0)) return room;
  for (const candidate of await candidatesForEviction(services)) {
    const { bytes } = await usageOf(candidate.path);
    if (!(await candidate.evict())) continue;
    notify(services.instrumentation.onEvicted, { kind: candidate.kind, bytes });
    room = addRoom(room, candidate.kind, bytes);
    if (await enough(room.freed)) break;
  }
  return room;
}

async function makeRoom(services: Services): Promise<Room> {
  const { root, limits } = services;
  const used = Number.isFinite(limits.rootBytes) ? (await usageOf(root.path)).bytes : 0;
  return await evictUntil(services, async (freed) => {
    return used - freed <= limits.rootBytes && (await freeBytes(root.path)) >= limits.freeBytes;
  });
}

/** Generations that were replaced and that no lease, template or pool member borrows from any more. */
async function dropOldGenerations(services: Services): Promise<void> {
  const { root } = services;
  const leases = await listLeases(root);
  for (const key of await readdir(root.mirrors)) {
    const record = await readMirror(root, key);
    for (let old = (record?.generation ?? 0) - 1; old >= 1; old -= 1) {
      const borrowed = [...(await listTemplates(services)), ...(await listShelves(services))].some(({ id }) =>
        id.startsWith(`${key}/${old}-`),
      );
      const leased = leases.some((lease) => borrowsFrom(lease, key, old));
      if (!borrowed && !leased) await discard(root, generationPath(root, key, old));
    }
  }
}

/** Templates and pool members of replaced generations can not be used by a new checkout. */
async function dropOutdated(services: Services): Promise<number> {
  const { root } = services;
  let dropped = 0;
  const isOutdated = async (id: string): Promise<boolean> => {
    const [key = '', name = ''] = id.split('/');
    const record = await readMirror(root, key);
    return record === undefined || Number.parseInt(name, 10) < record.generation;
  };
  for (const { id } of await listShelves(services)) if (await isOutdated(id)) await evictShelf(services, id);
  for (const { id } of await listTemplates(services)) {
    if ((await isOutdated(id)) && (await evictTemplate(services, id, () => isTemplateHeld(services, id)))) dropped += 1;
  }
  return dropped;
}

/** Sweeps, maintains, evicts. */
export async function prune(services: Services, signal?: AbortSignal): Promise<PruneReport> {
  const sweptLeases = await sweep(services);
  const outdated = await dropOutdated(services);
  await dropOldGenerations(services);
  for (const key of await readdir(services.root.mirrors)) {
    signal?.throwIfAborted();
    await maintain(services, key, signal);
    await forgetCommits(services, key);
    await dropIdleHubs(services, key);
  }
  const room = await makeRoom(services);
  return {
    sweptLeases,
    evictedTemplates: room.templates + outdated,
    evictedMirrors: room.mirrors,
    evictedLargeFiles: room.largeFiles,
    freedBytes: room.freed,
    overQuota: await overQuota(services),
  };
}

/**
 * Refuses a checkout for which there is no room, after having tried to make some.
 *
 * @throws {DiskFullError}
 */
export async function admit(services: Services, tenant: string | undefined): Promise<void> {
  if (tenant !== undefined) await checkTenant(services, tenant);
  const { root, limits } = services;
  if ((await freeBytes(root.path)) >= limits.freeBytes) return;
  await makeRoom(services);
  const free = await freeBytes(root.path);
  if (free < limits.freeBytes) {
    throw new DiskFullError(
      `${free} bytes are free at ${root.path}; ${limits.freeBytes} must stay free. Free some, or lower \`limits.freeBytes\``,
      { retryAfter: 30_000 },
    );
  }
}
