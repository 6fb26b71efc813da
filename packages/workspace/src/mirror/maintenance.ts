import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing } from '../files/record.ts';
import type { Services } from '../services.ts';
import { copyGeneration } from './generation.ts';
import { withMirrorLock } from './mirrors.ts';
import { generationPath, type MirrorRecord, readMirror, writeMirror } from './record.ts';

/** Packs beyond which they are combined. */
const MANY_PACKS = 12;

/** Milliseconds between two collections of garbage into a cruft pack. */
const COLLECT_MS = 7 * 24 * 60 * 60 * 1000;

/** Bytes of garbage that are never worth a new generation. */
const SMALL_GARBAGE = 4 * 1024 * 1024;

/** What lies in a mirror's pack folder. */
interface Packs {
  readonly count: number;
  /** Bytes of packs that something reaches, or may. */
  readonly bytes: number;
  /** Bytes of cruft packs: what nothing reached when they were written. */
  readonly garbage: number;
}

async function lookAtPacks(gitDir: string): Promise<Packs> {
  const folder = join(gitDir, 'objects', 'pack');
  const names = (await readdir(folder).catch(orMissing)) ?? [];
  const cruft = new Set(
    names.filter((name) => name.endsWith('.mtimes')).map((name) => name.replace('.mtimes', '.pack')),
  );
  const packs = names.filter((name) => name.endsWith('.pack'));
  const sizes = await Promise.all(
    packs.map(async (name) => (await stat(join(folder, name)).catch(orMissing))?.size ?? 0),
  );
  const sum = (wanted: boolean): number =>
    packs.reduce((total, name, at) => total + (cruft.has(name) === wanted ? (sizes[at] as number) : 0), 0);
  return { count: packs.length - cruft.size, bytes: sum(false), garbage: sum(true) };
}

function repack(services: Services, gitDir: string, kind: readonly string[], signal?: AbortSignal): Promise<unknown> {
  const args = ['repack', '-d', '-l', '-q', ...kind, '--write-midx', '--write-bitmap-index'];
  return services.git.run({ what: 'Combining the packs of a mirror', gitDir, args, signal });
}

/**
 * Objects are only ever moved, never dropped. `--geometric` keeps every object of the packs that it rolls up; from time
 * to time what nothing reaches moves to a cruft pack that never expires. So no borrower can lose one, also not one that
 * its agent met by content only (git does not write what it finds in a borrowed store, unless it is in a cruft pack).
 */
async function combine(
  services: Services,
  gitDir: string,
  record: MirrorRecord,
  signal?: AbortSignal,
): Promise<MirrorRecord> {
  const now = services.clock.now();
  const collect = now - (record.collectedAt ?? record.fetchedAt ?? now) >= COLLECT_MS;
  if (collect) await repack(services, gitDir, ['--cruft', '--cruft-expiration=never'], signal);
  else await repack(services, gitDir, ['--geometric=2'], signal);
  return collect ? { ...record, collectedAt: now } : record;
}

/**
 * Gets rid of garbage without dropping an object: a new generation takes over what is reachable, the old one stays for
 * its borrowers and goes with the last of them.
 */
async function renew(
  services: Services,
  key: string,
  record: MirrorRecord,
  signal?: AbortSignal,
): Promise<MirrorRecord> {
  const generation = record.generation + 1;
  await copyGeneration(services, key, { ...record, from: record.generation, to: generation }, signal);
  services.log.info({ repo: record.url, generation }, 'A mirror left its garbage behind with its old generation');
  return { ...record, generation, collectedAt: services.clock.now() };
}

async function isDue(services: Services, gitDir: string, record: MirrorRecord): Promise<boolean> {
  const hasGraph = (await stat(join(gitDir, 'objects', 'info', 'commit-graph')).catch(orMissing)) !== undefined;
  const { count, bytes, garbage } = await lookAtPacks(gitDir);
  const since = services.clock.now() - (record.collectedAt ?? record.fetchedAt ?? services.clock.now());
  return !hasGraph || count > MANY_PACKS || since >= COLLECT_MS || garbage > Math.max(SMALL_GARBAGE, bytes / 2);
}

/** Keeps a mirror fast and small. Nobody who borrows from it notices. */
export async function maintain(services: Services, key: string, signal?: AbortSignal): Promise<void> {
  const seen = await readMirror(services.root, key);
  if (seen === undefined || !(await isDue(services, generationPath(services.root, key, seen.generation), seen))) return;
  const work = async (): Promise<void> => {
    const record = await readMirror(services.root, key);
    if (record === undefined) return;
    const gitDir = generationPath(services.root, key, record.generation);
    // A partial mirror has nothing to walk: its packs stay as they came.
    let next = record.partial ? record : await combine(services, gitDir, record, signal);
    const { bytes, garbage } = await lookAtPacks(gitDir);
    if (garbage > Math.max(SMALL_GARBAGE, bytes / 2)) next = await renew(services, key, next, signal);
    const used = generationPath(services.root, key, next.generation);
    await services.git.run({
      what: 'Writing a commit graph',
      gitDir: used,
      args: ['commit-graph', 'write', '--reachable'],
      signal,
    });
    if (next !== record) await writeMirror(services.root, key, next);
  };
  await withMirrorLock(services, key, work, signal);
}
