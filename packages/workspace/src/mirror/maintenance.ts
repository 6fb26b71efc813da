import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing } from '../files/record.ts';
import type { Services } from '../services.ts';
import { withMirrorLock } from './mirrors.ts';
import { generationPath, readMirror } from './record.ts';

/** Packs beyond which they are combined. */
const MANY_PACKS = 12;

async function countPacks(gitDir: string): Promise<number> {
  const names = (await readdir(join(gitDir, 'objects', 'pack')).catch(orMissing)) ?? [];
  return names.filter((name) => name.endsWith('.pack')).length;
}

/**
 * Keeps a mirror fast. Objects are only ever combined, never dropped: `--geometric` keeps every object of the packs
 * that it rolls up, reachable or not. So no borrower can lose one, also not one that its agent met by content only
 * (git does not write what it finds in a borrowed store). What became garbage goes with its generation.
 */
export async function maintain(services: Services, key: string, signal?: AbortSignal): Promise<void> {
  const record = await readMirror(services.root, key);
  if (record === undefined) return;
  const gitDir = generationPath(services.root, key, record.generation);
  const hasGraph = (await stat(join(gitDir, 'objects', 'info', 'commit-graph')).catch(orMissing)) !== undefined;
  const packs = await countPacks(gitDir);
  if (hasGraph && packs <= MANY_PACKS) return;
  await withMirrorLock(
    services,
    key,
    async () => {
      const what = 'Maintaining a mirror';
      if (packs > MANY_PACKS && !record.partial) {
        await services.git.run({
          what,
          gitDir,
          args: ['repack', '-d', '-l', '-q', '--geometric=2', '--write-midx'],
          signal,
        });
      }
      await services.git.run({ what, gitDir, args: ['commit-graph', 'write', '--reachable'], signal });
    },
    signal,
  );
}
