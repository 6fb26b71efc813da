import { createReadStream } from 'node:fs';
import { access, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { GitTimeoutError, LfsObjectNotFoundError } from '../errors.ts';
import { observeRemote } from '../git/remote.ts';
import type { RepositoryAddress } from '../repository.ts';
import type { Services } from '../services.ts';
import type { LfsPointer } from './pointer.ts';
import { openLfsServer } from './server.ts';
import { objectPath } from './store.ts';
import { download, saveChecked, upload } from './transfer.ts';

/** Transfers at a time. */
const TRANSFERS = 4;

/** What a transfer is about. */
interface Transfer {
  /** Where the large files are kept: the repository, or another address. */
  readonly address: RepositoryAddress;
  readonly objects: readonly LfsPointer[];
  readonly signal?: AbortSignal | undefined;
}

/** Gives work a signal that ends it in the network's time, or when the caller gives up. */
async function inTime<T>(
  { clock, limits }: Services,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const late = new AbortController();
  const ms = limits.networkTimeoutMs;
  const timer = clock.setTimeout(
    () =>
      late.abort(new GitTimeoutError(`Moving LFS objects did not end within ${ms} ms. Raise the limit or try later`)),
    ms,
  );
  try {
    return await work(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
  } finally {
    clock.clearTimeout(timer);
    // Ends the transfers that were under way beside one that failed.
    late.abort();
  }
}

/** All at once, so many at a time; the first failure stops those that have not begun. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const limit = pLimit(TRANSFERS);
  try {
    await Promise.all(items.map((item) => limit(() => work(item))));
  } catch (error) {
    limit.clearQueue();
    throw error;
  }
}

/** Stores of a repository on this machine: bare, or with a working tree. */
function localStores({ url }: RepositoryAddress): readonly string[] {
  return [join(url, 'lfs'), join(url, '.git', 'lfs')];
}

async function localObject(address: RepositoryAddress, { oid }: LfsPointer): Promise<string> {
  for (const lfs of localStores(address)) {
    const path = objectPath(lfs, oid);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new LfsObjectNotFoundError(`${address.url} has no object ${oid}. Bring it there with \`git lfs push\``);
}

/** Receives objects one by one, each whole and checked, in a file that the receiver takes away. */
export async function receiveObjects(
  services: Services,
  { address, objects, signal: outer }: Transfer,
  folder: string,
  received: (pointer: LfsPointer, path: string) => Promise<void>,
): Promise<void> {
  const work = async (signal: AbortSignal): Promise<void> => {
    const one = async (pointer: LfsPointer, save: (path: string) => Promise<void>): Promise<void> => {
      const path = join(folder, pointer.oid);
      await save(path);
      await received(pointer, path);
    };
    if (address.protocol === 'file') {
      return await each(objects, (pointer) =>
        one(pointer, async (path) => saveChecked(createReadStream(await localObject(address, pointer)), pointer, path)),
      );
    }
    const server = openLfsServer(services, address, signal);
    await each(await server.batch('download', objects), (answer) =>
      one(answer, async (path) => {
        const action = answer.actions?.download;
        if (action === undefined) throw new LfsObjectNotFoundError(`${server.url} offers no download of ${answer.oid}`);
        await download(server, answer, action, path, signal);
      }),
    );
  };
  await observeRemote(services, { repo: address.url, kind: 'fetch' }, () => inTime(services, outer, work));
}

async function copyTo(lfs: string, { oid }: LfsPointer, from: string): Promise<void> {
  const path = objectPath(lfs, oid);
  await mkdir(join(path, '..'), { recursive: true });
  const copy = `${path}.millrace`;
  await rm(copy, { force: true });
  await copyFile(from, copy);
  await rename(copy, path);
}

/**
 * Sends objects that the remote lacks.
 *
 * @param pathOf where an object is here; throws when it is nowhere
 */
export async function sendObjects(
  services: Services,
  { address, objects, signal: outer }: Transfer,
  pathOf: (pointer: LfsPointer) => Promise<string>,
): Promise<void> {
  const work = async (signal: AbortSignal): Promise<void> => {
    if (address.protocol === 'file') {
      return await each(objects, async (pointer) => {
        const isThere = await localObject(address, pointer).catch(() => undefined);
        if (isThere === undefined) await copyTo(localStores(address)[0] as string, pointer, await pathOf(pointer));
      });
    }
    const server = openLfsServer(services, address, signal);
    await each(await server.batch('upload', objects), async ({ actions, ...pointer }) => {
      // No action: the server has it.
      if (actions?.upload === undefined) return;
      const { upload: put, verify } = actions;
      await upload(server, pointer, { upload: put, ...(verify && { verify }) }, await pathOf(pointer));
    });
  };
  await observeRemote(services, { repo: address.url, kind: 'push' }, () => inTime(services, outer, work));
}
