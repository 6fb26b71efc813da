import { isFileInCone } from '../git/cone.ts';
import { runRemote } from '../git/remote.ts';
import type { Services } from '../services.ts';
import type { TreeSource } from '../template/tree.ts';
import { withMirrorLock } from './mirrors.ts';

/** File contents in the cone; trees are there even in a partial mirror. */
async function blobsInCone(services: Services, source: TreeSource, signal?: AbortSignal): Promise<ReadonlySet<string>> {
  const { supply, sparse } = source;
  const listing = await services.git.text({
    what: 'Looking into a sparse cone',
    gitDir: supply.gitDir,
    args: ['ls-tree', '-r', '-z', supply.commit],
    signal,
  });
  const entries = listing.split('\0').map((line) => line.split('\t'));
  return new Set(
    entries.flatMap(([about = '', path = '']) => (isFileInCone(path, sparse) ? [about.split(' ')[2] as string] : [])),
  );
}

async function missingObjects(
  services: Services,
  source: TreeSource,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const listed = await services.git.text({
    what: 'Looking for missing file contents',
    gitDir: source.supply.gitDir,
    args: ['rev-list', '--objects', '--no-object-names', '--missing=print', `${source.supply.commit}^{tree}`],
    signal,
  });
  const missing = listed.split('\n').flatMap((line) => (line.startsWith('?') ? [line.slice(1)] : []));
  if (missing.length === 0 || source.sparse.length === 0) return missing;
  const wanted = await blobsInCone(services, source, signal);
  return missing.filter((id) => wanted.has(id));
}

/** Brings the file contents that a checkout needs into a partial mirror, all in one fetch, shared by all who wait. */
export async function fillIn(services: Services, source: TreeSource, signal?: AbortSignal): Promise<void> {
  const { address, gitDir } = source.supply;
  if ((await missingObjects(services, source, signal)).length === 0) return;
  await withMirrorLock(
    services,
    address.key,
    async () => {
      const missing = await missingObjects(services, source, signal);
      if (missing.length === 0) return;
      await runRemote(services, address, 'fetch', {
        what: `Fetching ${missing.length} file contents from ${address.url}`,
        gitDir,
        args: ['fetch', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--quiet', '--stdin', 'origin'],
        env: { GIT_NO_LAZY_FETCH: '0' },
        input: `${missing.join('\n')}\n`,
        signal,
      });
    },
    signal,
  );
}
