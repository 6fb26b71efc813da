import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LfsObjectNotFoundError, RefusedByPolicyError } from '../errors.ts';
import { lock } from '../files/lock.ts';
import type { Progress } from '../manager.ts';
import { fillIn } from '../mirror/partial.ts';
import type { RepositoryAddress } from '../repository.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import type { TreeSource } from '../template/tree.ts';
import { type LfsFile, listLfsFiles } from './listed.ts';
import type { LfsPointer } from './pointer.ts';
import { receiveObjects } from './remote.ts';
import { addObject, lfsFolder, linkStore, missingObjects, placeObjects, type TreePlace } from './store.ts';

/** How large files are brought. */
export interface LfsSource {
  /** Where they are kept. */
  readonly address: RepositoryAddress;
  /** Bytes of one of them. */
  readonly maxObjectBytes: number;
  /** Bytes of all of one checkout. */
  readonly maxBytes: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

type LfsTreeSource = TreeSource & { readonly lfs: LfsSource };

/** True for a source whose large files are wanted. */
export function wantsLfs(source: TreeSource): source is LfsTreeSource {
  return source.lfs !== undefined;
}

function checkSizes(files: readonly LfsFile[], { maxObjectBytes, maxBytes }: LfsSource): void {
  const large = files.find(({ size }) => size > maxObjectBytes);
  if (large !== undefined)
    throw new RefusedByPolicyError(
      'lfs-size',
      `${large.path} has ${large.size} bytes; \`lfs.maxObjectBytes\` allows ${maxObjectBytes}`,
    );
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (total > maxBytes)
    throw new RefusedByPolicyError(
      'lfs-size',
      `The large files have ${total} bytes in all; \`lfs.maxBytes\` allows ${maxBytes}. Take a \`sparse\` cone`,
    );
}

/** Brings objects into the store: one bringer at a time, also between processes; who waited looks again. */
async function bring(
  services: Services,
  { supply, lfs }: LfsTreeSource,
  files: readonly LfsFile[],
  signal?: AbortSignal,
): Promise<void> {
  const { root, owner } = services;
  const { key } = supply.address;
  if ((await missingObjects(services, key, files)).length === 0) return;
  await using _lock = await lock({ folder: join(root.locks, `lfs-${key}`), owner, owners: root.owners, signal });
  const objects = await missingObjects(services, key, files);
  if (objects.length === 0) return;
  const staged = stagingPath(root, owner.id);
  let done = 0;
  const received = async ({ oid }: LfsPointer, path: string): Promise<void> => {
    await addObject(lfsFolder(root, key), oid, path);
    services.step('lfs:added');
    done += 1;
    const percent = Math.floor((100 * done) / objects.length);
    lfs.onProgress?.({ phase: 'Receiving large files', percent, done, total: objects.length });
  };
  try {
    await mkdir(staged);
    await receiveObjects(services, { address: lfs.address, objects, signal }, staged, received);
  } finally {
    await discard(root, staged);
  }
}

/**
 * Has the large files of a commit in the store, marked as used.
 *
 * @throws {LfsObjectNotFoundError} {@link LfsCorruptError} {@link RefusedByPolicyError} {@link NetworkError} {@link AuthError}
 */
export async function ensureLfs(
  services: Services,
  source: LfsTreeSource,
  signal?: AbortSignal,
): Promise<readonly LfsFile[]> {
  if (source.supply.partial) await fillIn(services, source, signal);
  const files = await listLfsFiles(services, source, signal);
  checkSizes(files, source.lfs);
  await linkStore(source.supply.gitDir);
  await bring(services, source, files, signal);
  return files;
}

/** Times that an eviction may take an object between the bringing and the copying. */
const TRIES = 5;

/** Writes the large files over their pointers, in a tree that git has just written and that nobody else uses yet. */
export async function fillLfs(
  services: Services,
  place: TreePlace,
  source: LfsTreeSource,
  signal?: AbortSignal,
): Promise<void> {
  const { key } = source.supply.address;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const files = await ensureLfs(services, source, signal);
    if (await placeObjects(services, key, place, files)) return;
  }
  throw new LfsObjectNotFoundError('The large files are evicted as fast as they come; raise `limits.rootBytes`');
}
