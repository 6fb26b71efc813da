import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing } from '../files/record.ts';
import { progressReader } from '../git/progress.ts';
import { type ResolvedRef, runRemote } from '../git/remote.ts';
import type { Progress } from '../manager.ts';
import { isCommitId, type RepositoryAddress } from '../repository.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import { generationPath, mirrorFolder } from './record.ts';

/** Everything that a mirror follows. Never `+refs/*:refs/*`: a pruning fetch would delete the pins below `refs/millrace`. */
const FOLLOWED = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];

/** A fetch into a generation. */
export interface GenerationFetch {
  readonly gitDir: string;
  readonly address: RepositoryAddress;
  readonly partial: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Makes an empty bare repository for a generation. */
export async function initGeneration(
  services: Services,
  gitDir: string,
  options: { readonly url: string; readonly format: 'sha1' | 'sha256'; readonly partial: boolean },
): Promise<void> {
  const run = (...args: string[]): Promise<unknown> => services.git.run({ what: 'Making a mirror', gitDir, args });
  await services.git.run({
    what: 'Making a mirror',
    args: ['init', '--bare', '--quiet', '--template=', `--object-format=${options.format}`, '--', gitDir],
  });
  await run('config', 'gc.auto', '0');
  await run('config', 'maintenance.auto', 'false');
  await run('config', 'remote.origin.url', options.url);
  if (!options.partial) return;
  await run('config', 'remote.origin.promisor', 'true');
  await run('config', 'remote.origin.partialCloneFilter', 'blob:none');
}

async function fetchSpecs(
  services: Services,
  fetch: GenerationFetch,
  specs: readonly string[],
  prune: boolean,
): Promise<void> {
  const { address, gitDir, partial, signal, onProgress } = fetch;
  await runRemote(services, address, 'fetch', {
    what: `Fetching from ${address.url}`,
    gitDir,
    args: [
      'fetch',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-auto-maintenance',
      '--update-shallow',
      ...(prune ? ['--prune'] : []),
      ...(partial ? ['--filter=blob:none'] : []),
      onProgress ? '--progress' : '--quiet',
      '--end-of-options',
      partial ? 'origin' : address.url,
      ...specs,
    ],
    signal,
    onStderr: onProgress && progressReader(onProgress),
  });
}

/** Fetches all branches and tags, and forgets those that are gone. */
export function fetchAll(services: Services, fetch: GenerationFetch): Promise<void> {
  return fetchSpecs(services, fetch, FOLLOWED, true);
}

function specOf(resolved: ResolvedRef): string {
  const { name, id } = resolved;
  if (name?.startsWith('refs/heads/')) return `+${name}:refs/remotes/origin/${name.slice('refs/heads/'.length)}`;
  if (name?.startsWith('refs/tags/')) return `+${name}:${name}`;
  return `+${name ?? id}:refs/millrace/wanted/${id}`;
}

/** Fetches one ref or commit. A branch `a` that became `a/b` is in the way of itself: then everything is fetched with pruning. */
export async function fetchOne(services: Services, fetch: GenerationFetch, resolved: ResolvedRef): Promise<void> {
  try {
    await fetchSpecs(services, fetch, [specOf(resolved)], false);
  } catch (error) {
    // The last one is how git says it since 2.50, where updates of refs are batched.
    const inTheWay = /cannot lock ref|unable to resolve reference|some local refs could not be updated/;
    if (!inTheWay.test((error as Error).message)) throw error;
    await fetchAll(services, fetch);
  }
}

/** Makes a whole new generation beside the others: staged, fetched, then renamed into its place. */
export async function buildGeneration(
  services: Services,
  generation: number,
  format: 'sha1' | 'sha256',
  fetch: Omit<GenerationFetch, 'gitDir'>,
  wanted?: ResolvedRef,
): Promise<void> {
  const { root, owner } = services;
  const staged = stagingPath(root, owner.id);
  try {
    await initGeneration(services, staged, { url: fetch.address.url, format, partial: fetch.partial });
    services.step('mirror:initialised');
    await fetchAll(services, { ...fetch, gitDir: staged });
    if (wanted !== undefined && wanted.name === undefined && isCommitId(wanted.id)) {
      if ((await commitOf(services, staged, wanted.id)) === undefined) {
        await fetchOne(services, { ...fetch, gitDir: staged }, wanted);
      }
    }
    services.step('mirror:fetched');
    await mkdir(mirrorFolder(root, fetch.address.key), { recursive: true });
    // A leftover of a crash between this rename and the record is replaced.
    await discard(root, generationPath(root, fetch.address.key, generation));
    await rename(staged, generationPath(root, fetch.address.key, generation));
    services.step('mirror:renamed');
  } finally {
    await discard(root, staged);
  }
}

/** Makes a generation of what an earlier one follows, from its files; staged, then renamed into its place. */
export async function copyGeneration(
  services: Services,
  key: string,
  copy: { readonly from: number; readonly to: number; readonly format: 'sha1' | 'sha256'; readonly url: string },
  signal?: AbortSignal,
): Promise<void> {
  const { root, owner } = services;
  const staged = stagingPath(root, owner.id);
  try {
    await initGeneration(services, staged, { ...copy, partial: false });
    await services.git.run({
      what: 'Copying a mirror',
      gitDir: staged,
      args: [
        'fetch',
        '--no-tags',
        '--no-write-fetch-head',
        '--no-auto-maintenance',
        '--update-shallow',
        '--quiet',
        generationPath(root, key, copy.from),
        ...['remotes/origin', 'tags'].map((kind) => `+refs/${kind}/*:refs/${kind}/*`),
      ],
      env: { GIT_ALLOW_PROTOCOL: 'file' },
      timeoutMs: services.limits.networkTimeoutMs,
      signal,
    });
    services.step('mirror:copied');
    await discard(root, generationPath(root, key, copy.to));
    await rename(staged, generationPath(root, key, copy.to));
  } finally {
    await discard(root, staged);
  }
}

/** The commit that an id stands for, or undefined when the repository does not have it. Asks no remote. */
export async function commitOf(
  services: Services,
  gitDir: string,
  id: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { stdout } = await services.git.run({
    what: `Looking for ${id}`,
    gitDir,
    args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${id}^{commit}`],
    ok: [0, 1, 128],
    signal,
  });
  return stdout.toString('utf8').trim() || undefined;
}

/** Removes lock files that a killed git left. Only to be called under the mirror's lock: then none is in use. */
export async function removeStaleLocks(gitDir: string): Promise<void> {
  const names = (await readdir(gitDir, { recursive: true }).catch(orMissing)) ?? [];
  const stale = names.filter((name) => name.endsWith('.lock') || /^objects\/(pack\/)?tmp_/.test(name));
  await Promise.all(stale.map((name) => rm(join(gitDir, name), { recursive: true, force: true })));
}
