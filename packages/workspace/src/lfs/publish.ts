import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LfsObjectNotFoundError, RefusedByPolicyError } from '../errors.ts';
import { readBeneath, writeBeneath } from '../files/beneath.ts';
import { orMissing } from '../files/record.ts';
import type { HostRepository } from '../host/host-repository.ts';
import { changesOf, type ResolvedRules } from '../host/rules.ts';
import type { RepositoryAddress } from '../repository.ts';
import { type LfsPointer, objectNames, POINTER_BYTES, parsePointer } from './pointer.ts';
import { sendObjects } from './remote.ts';
import { addObject, objectPath } from './store.ts';
import { saveChecked } from './transfer.ts';

/** Pointers that commits brought: small files that are whole pointers, each object once. */
async function newPointers(
  host: HostRepository,
  tip: string,
  from: string,
  signal?: AbortSignal,
): Promise<readonly LfsPointer[]> {
  const commits = await host.text({ what: 'Listing commits', args: ['rev-list', tip, '--not', from], signal });
  if (commits === '') return [];
  const changes = await changesOf(host, commits, signal);
  const ids = [...new Set(changes.flatMap(({ newMode, newId }) => (newMode.startsWith('100') ? [newId] : [])))];
  const what = 'Looking for pointers';
  const input = (names: readonly string[]): string => names.map((id) => `${id}\n`).join('');
  const sizes = (
    await host.text({ what, args: ['cat-file', '--batch-check=%(objectsize)'], input: input(ids), signal })
  ).split('\n');
  const found = new Map<string, LfsPointer>();
  for (const id of ids.filter((_, at) => Number(sizes[at]) < POINTER_BYTES)) {
    const { stdout } = await host.run({ what, args: ['cat-file', 'blob', id], signal });
    const pointer = parsePointer(stdout);
    if (pointer !== undefined && pointer.size > 0) found.set(pointer.oid, pointer);
  }
  return [...found.values()];
}

/** Stores on the host's side: the workspace's own, and the mirror's. */
function hostStores(host: HostRepository): readonly string[] {
  return [join(host.gitDir, 'lfs'), join(host.context.borrowFrom, 'lfs')];
}

async function onHost(host: HostRepository, pointer: LfsPointer): Promise<string | undefined> {
  for (const lfs of hostStores(host)) {
    const path = objectPath(lfs, pointer.oid);
    if ((await stat(path).catch(orMissing))?.size === pointer.size) return path;
  }
  return undefined;
}

/** Takes an object over from the agent's side, as data: by name, without following links, checked against its hash. */
async function fromAgent(
  host: HostRepository,
  pointer: LfsPointer,
  { maxFileBytes }: ResolvedRules,
): Promise<string | undefined> {
  if (pointer.size > maxFileBytes)
    throw new RefusedByPolicyError(
      'file-size',
      `The large file ${pointer.oid} has ${pointer.size} bytes; ${maxFileBytes} are allowed`,
    );
  const { root, names } = host.context.agent.common;
  const below = ['lfs', 'objects', ...objectNames(pointer.oid)];
  const content = await readBeneath(root, [...names, ...below], pointer.size);
  if (content === undefined) return undefined;
  const lfs = join(host.gitDir, 'lfs');
  const copy = join(lfs, `${pointer.oid}.incoming`);
  await mkdir(lfs, { recursive: true });
  await rm(copy, { force: true });
  await saveChecked([content], pointer, copy);
  await addObject(lfs, pointer.oid, copy);
  return objectPath(lfs, pointer.oid);
}

/**
 * Sends the large files of new commits to where the remote keeps them, before the commits themselves: nobody may see a
 * pointer to nothing.
 *
 * @throws {LfsObjectNotFoundError} when the remote wants one that is nowhere here
 */
export async function publishLfs(
  host: HostRepository,
  remote: RepositoryAddress,
  tip: string,
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<void> {
  const { lfs, base, origin, services } = host.context;
  if (lfs === undefined) return;
  const objects = await newPointers(host, tip, base, signal);
  if (objects.length === 0) return;
  const address = remote.url === origin ? lfs.address : remote;
  await sendObjects(services, { address, objects, signal }, async (pointer) => {
    const path = (await onHost(host, pointer)) ?? (await fromAgent(host, pointer, rules));
    if (path !== undefined) return path;
    throw new LfsObjectNotFoundError(
      `A commit names the large file ${pointer.oid} (${pointer.size} bytes), which is neither here nor at the remote`,
    );
  });
}

/** Gives the agent the large files of a commit of the host, so that its git can write them again. */
export async function tellAgentLfs(
  host: HostRepository,
  commit: string,
  parent: string,
  signal?: AbortSignal,
): Promise<void> {
  if (host.context.lfs === undefined) return;
  for (const pointer of await newPointers(host, commit, parent, signal)) {
    const path = await onHost(host, pointer);
    const { root, names } = host.context.agent.common;
    const place = [...names, 'lfs', 'objects', ...objectNames(pointer.oid)];
    if (path !== undefined) await writeBeneath(root, place, await readFile(path));
  }
}
