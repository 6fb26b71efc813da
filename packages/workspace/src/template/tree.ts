import { join } from 'node:path';
import { type GitDirSpec, makeGitDir } from '../git/git-dir.ts';
import { settleIndex } from '../git/index-file.ts';
import type { Supply } from '../mirror/mirrors.ts';
import { fillIn } from '../mirror/partial.ts';
import type { Services } from '../services.ts';

/** What a working tree is made of. */
export interface TreeSource {
  readonly supply: Supply;
  readonly sparse: readonly string[];
  /** Lies in a subvolume of its own, for snapshots. @default false */
  readonly subvolume?: boolean;
}

/** Writes the files of a commit and settles the index: a `.git` by hand, then one git process. */
export async function buildTree(
  services: Services,
  tree: string,
  source: TreeSource,
  head: Pick<GitDirSpec, 'branch' | 'origin' | 'upstream' | 'identity'>,
  signal?: AbortSignal,
): Promise<void> {
  const { supply, sparse } = source;
  const gitDir = join(tree, '.git');
  if (supply.partial) await fillIn(services, source, signal);
  await makeGitDir(gitDir, {
    ...head,
    borrowFrom: supply.gitDir,
    format: supply.format,
    commit: supply.commit,
    sparse,
    symlinks: services.symlinks,
  });
  services.step('tree:git-dir');
  await services.git.run({
    what: `Writing the files of ${supply.commit}`,
    gitDir,
    workTree: tree,
    args: ['read-tree', '--reset', '-u', supply.commit],
    signal,
  });
  services.step('tree:written');
  await settleIndex(tree, join(gitDir, 'index'), supply.format);
}
