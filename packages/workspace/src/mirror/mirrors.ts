import { mkdir, stat, writeFile } from 'node:fs/promises';
import { GitTimeoutError, NetworkError, RefNotFoundError } from '../errors.ts';
import { type Evictable, lockEvictable } from '../eviction.ts';
import type { HeldLock } from '../files/lock.ts';
import { orMissing } from '../files/record.ts';
import { type ResolvedRef, resolveRemote } from '../git/remote.ts';
import { notify } from '../instrumentation.ts';
import type { Progress } from '../manager.ts';
import { isCommitId, type RepositoryAddress } from '../repository.ts';
import type { Root } from '../root.ts';
import type { Services } from '../services.ts';
import { buildGeneration, commitOf, fetchAll, fetchOne, removeStaleLocks } from './generation.ts';
import {
  generationPath,
  hintPath,
  type MirrorRecord,
  mirrorFolder,
  readMirror,
  recordPath,
  withSeen,
  writeMirror,
} from './record.ts';
import { inRounds } from './rounds.ts';
import { awaitTurn, untilTurn } from './spacing.ts';

/** What a caller wants to have in the mirror. */
export interface Want {
  /** Addresses of the same repository; the first names the mirror. */
  readonly addresses: readonly [RepositoryAddress, ...RepositoryAddress[]];
  /** Branch, tag, full name, commit id; undefined for the default branch. */
  readonly ref: string | undefined;
  /** Age in milliseconds up to which an earlier answer of the remote is good enough. */
  readonly maxAgeMs: number;
  /** Without file contents. */
  readonly partial: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Tells that a commit of a generation is known to be whole (a template of it exists), which spares asking git. */
  readonly known?: (commit: string, generation: number) => Promise<boolean>;
}

/** A commit that is in the mirror. */
export interface Supply {
  readonly address: RepositoryAddress;
  readonly generation: number;
  readonly gitDir: string;
  readonly format: 'sha1' | 'sha256';
  readonly partial: boolean;
  readonly commit: string;
  /** Full name of the ref; undefined for a commit id. */
  readonly name: string | undefined;
  /** Milliseconds spent on the remote, waiting for others' fetches included; 0 without any. */
  readonly fetchMs: number;
}

/** A mirror as the eviction sees it. */
export function evictableMirror(root: Root, key: string): Evictable {
  return { lock: `mirror-${key}`, path: recordPath(root, key) };
}

function takeLock(services: Services, key: string, signal?: AbortSignal): Promise<HeldLock> {
  return lockEvictable(services, evictableMirror(services.root, key), signal);
}

async function hintedAt(services: Services, key: string): Promise<number> {
  return (await stat(hintPath(services.root, key)).catch(orMissing))?.mtimeMs ?? 0;
}

/** Looks for the wanted commit without the network; answers of the remote count from `notBefore` on. */
async function present(services: Services, want: Want, notBefore: number): Promise<Supply | undefined> {
  const [address] = want.addresses;
  const record = await readMirror(services.root, address.key);
  if (record === undefined || record.generation === 0) return undefined;
  const gitDir = generationPath(services.root, address.key, record.generation);
  const seen = record.seen[want.ref ?? ''];
  const fresh = seen !== undefined && seen.at >= notBefore ? seen : undefined;
  const id = want.ref !== undefined && isCommitId(want.ref) ? want.ref : fresh?.commit;
  if (id === undefined) return undefined;
  const commit = await commitIn(services, want, gitDir, { id, generation: record.generation });
  return commit === undefined
    ? undefined
    : { ...supplyOf(services, address, record), commit, name: fresh?.name, fetchMs: 0 };
}

/** The commit of an id that the generation has; the remote is not asked. */
async function commitIn(
  services: Services,
  want: Want,
  gitDir: string,
  { id, generation }: { readonly id: string; readonly generation: number },
): Promise<string | undefined> {
  if (await want.known?.(id, generation)) return id;
  return await commitOf(services, gitDir, id, want.signal);
}

function supplyOf(
  services: Services,
  address: RepositoryAddress,
  record: MirrorRecord,
): Omit<Supply, 'commit' | 'name' | 'fetchMs'> {
  const { generation, format, partial } = record;
  return { address, generation, gitDir: generationPath(services.root, address.key, generation), format, partial };
}

/**
 * Has the wanted commit in the mirror: from what is there when that is good enough, else by one fetch that all callers
 * of all processes share. Who waits looks again before it asks the remote itself.
 */
export async function supply(services: Services, want: Want): Promise<Supply> {
  const [{ key, url }] = want.addresses;
  const asked = services.clock.now();
  const started = services.clock.monotonic();
  const notBefore = Math.max(asked - want.maxAgeMs, (await hintedAt(services, key)) + 1);
  const here = await present(services, want, want.maxAgeMs === 0 ? Number.POSITIVE_INFINITY : notBefore);
  if (here !== undefined) return here;
  // A first sight asks before it makes anything, so that a wrong address or ref leaves nothing behind.
  if ((await readMirror(services.root, key)) === undefined) {
    await fromFirstReachable(want.addresses, (address) => resolveWanted(services, want, address));
  }
  const fetchMs = (): number => services.clock.monotonic() - started;
  const look = async (): Promise<Supply | undefined> => {
    const shared = await present(services, want, notBefore);
    if (shared === undefined) return undefined;
    const event = { repo: url, kind: 'fetch', durationMs: fetchMs(), shared: true, code: undefined } as const;
    notify(services.instrumentation.onFetched, event);
    return shared;
  };
  const question = JSON.stringify([key, want.ref, want.partial]);
  const supplied = await inRounds(services, question, want.signal, {
    look,
    ask: () => askInTurn(services, want, look),
  });
  return { ...supplied, fetchMs: fetchMs() };
}

/** Waits for one's turn. What another process asks during the second one is good for us; a clock that was set back never says so. */
const TURNS = 2;

/** Asks when it is this ref's turn; another process may have asked by then, too early for us or just right. */
async function askInTurn(services: Services, want: Want, look: () => Promise<Supply | undefined>): Promise<Supply> {
  const [{ key }] = want.addresses;
  for (let turn = 1; ; turn += 1) {
    await awaitTurn(services, key, want.ref, want.signal);
    await using _lock = await takeLock(services, key, want.signal);
    const shared = await look();
    if (shared !== undefined) return shared;
    if (turn < TURNS && (await untilTurn(services, key, want.ref)) > 0) continue;
    return await fromFirstReachable(want.addresses, (address) => fetchWanted(services, want, address));
  }
}

async function fromFirstReachable<T>(
  addresses: readonly RepositoryAddress[],
  attempt: (address: RepositoryAddress) => Promise<T>,
): Promise<T> {
  const [first, ...others] = addresses;
  try {
    return await attempt(first as RepositoryAddress);
  } catch (error) {
    const unreachable = error instanceof NetworkError || error instanceof GitTimeoutError;
    if (!unreachable || others.length === 0) throw error;
    return await fromFirstReachable(others, attempt);
  }
}

async function resolveWanted(services: Services, want: Want, address: RepositoryAddress): Promise<ResolvedRef> {
  if (want.ref !== undefined && isCommitId(want.ref)) {
    return { name: undefined, id: want.ref };
  }
  return await resolveRemote(services, address, want.ref, want.signal);
}

/** Runs under the mirror's lock. `address` may be another one than the mirror's name. */
async function fetchWanted(services: Services, want: Want, address: RepositoryAddress): Promise<Supply> {
  const { root, clock } = services;
  const [main] = want.addresses;
  const at = clock.now();
  const began = clock.monotonic();
  const resolved = await resolveWanted(services, want, address);
  const took = clock.monotonic() - began;
  const record = await readyRecord(services, want, address, resolved);
  const gitDir = generationPath(root, main.key, record.generation);
  const wanted = { id: resolved.id, generation: record.generation };
  const look = (): Promise<string | undefined> => commitIn(services, want, gitDir, wanted);
  let commit = await look();
  if (commit === undefined) {
    await removeStaleLocks(gitDir);
    await fetchOne(services, { ...want, address, gitDir, partial: record.partial }, resolved);
    commit = await look();
  }
  if (commit === undefined) {
    throw new RefNotFoundError(
      `${address.url}: "${want.ref ?? 'HEAD'}" is no commit. Name a branch, a tag or a commit`,
    );
  }
  const seen = withSeen(record, want.ref ?? '', { name: resolved.name, commit, at, took });
  await writeMirror(root, main.key, seen);
  return { ...supplyOf(services, main, seen), commit, name: resolved.name, fetchMs: 0 };
}

/** The record of a mirror that has a generation; makes the first one where there is none. */
async function readyRecord(
  services: Services,
  want: Want,
  address: RepositoryAddress,
  resolved: ResolvedRef,
): Promise<MirrorRecord> {
  const [main] = want.addresses;
  const record = await readMirror(services.root, main.key);
  if (record !== undefined && record.generation > 0) return record;
  const format = resolved.id.length === 64 ? 'sha256' : 'sha1';
  const fetchedAt = services.clock.now();
  // The staged repository gets the key of the mirror's name, whichever address answered.
  await buildGeneration(services, 1, format, { ...want, address: { ...address, key: main.key } }, resolved);
  const made: MirrorRecord = { url: main.url, generation: 1, partial: want.partial, format, fetchedAt, seen: {} };
  await writeMirror(services.root, main.key, made);
  return made;
}

/** Brings all branches and tags up to date. */
export async function refresh(services: Services, want: Want): Promise<void> {
  const [main] = want.addresses;
  if ((await readMirror(services.root, main.key)) === undefined) {
    await supply(services, want);
    return;
  }
  await using _lock = await takeLock(services, main.key, want.signal);
  const record = await readMirror(services.root, main.key);
  if (record === undefined) return;
  const at = services.clock.now();
  const gitDir = generationPath(services.root, main.key, record.generation);
  await removeStaleLocks(gitDir);
  await fromFirstReachable(want.addresses, (address) =>
    fetchAll(services, { ...want, address, gitDir, partial: record.partial }),
  );
  await writeMirror(services.root, main.key, { ...record, fetchedAt: at });
}

/**
 * Replaces a broken generation by a fresh one beside it. Leases of the old one keep it; whoever finds the generation
 * replaced already has nothing to do.
 */
export async function heal(services: Services, want: Want, broken: number): Promise<void> {
  const [main] = want.addresses;
  await using _lock = await takeLock(services, main.key, want.signal);
  const record = await readMirror(services.root, main.key);
  if (record === undefined || record.generation !== broken) return;
  const generation = broken + 1;
  services.log.warn({ repo: main.url, generation: broken }, 'A mirror is corrupt and is replaced by a new generation');
  await fromFirstReachable(want.addresses, (address) =>
    buildGeneration(services, generation, record.format, {
      ...want,
      partial: record.partial,
      address: { ...address, key: main.key },
    }),
  );
  await writeMirror(services.root, main.key, { ...record, generation, fetchedAt: services.clock.now(), seen: {} });
  notify(services.instrumentation.onHealed, { repo: main.url, generation });
}

/** Runs something alone with a mirror. */
export async function withMirrorLock<T>(
  services: Services,
  key: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await using _lock = await takeLock(services, key, signal);
  return await work();
}

/** Marks a mirror's knowledge of branches as outdated. */
export async function markStale(services: Services, key: string): Promise<void> {
  await mkdir(mirrorFolder(services.root, key), { recursive: true });
  await writeFile(hintPath(services.root, key), '');
}
