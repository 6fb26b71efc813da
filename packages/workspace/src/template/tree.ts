import { join } from 'node:path';
import { type GitDirSpec, makeGitDir } from '../git/git-dir.ts';
import { settleIndex } from '../git/index-file.ts';
import { fillLfs, type LfsSource, wantsLfs } from '../lfs/fill.ts';
import type { Supply } from '../mirror/mirrors.ts';
import { fillIn } from '../mirror/partial.ts';
import type { Services } from '../services.ts';

/** What a working tree is made of. */
export interface TreeSource {
  readonly supply: Supply;
  readonly sparse: readonly string[];
  /** Lies in a subvolume of its own, for snapshots. @default false */
  readonly subvolume?: boolean;
  /** How large files are brought; absent means that their pointers stay. */
  readonly lfs?: LfsSource | undefined;
}

/** The git directory of a source, without what makes one checkout different from another. */
export function headOf(services: Services, { supply, sparse, lfs }: TreeSource): GitDirSpec {
  const { gitDir, format, commit } = supply;
  return { borrowFrom: gitDir, format, commit, sparse, symlinks: services.symlinks, lfs: lfs !== undefined };
}

/** Writes the files of a commit and settles the index: a `.git` by hand, then one git process. */
export async function buildTree(
  services: Services,
  tree: string,
  source: TreeSource,
  head: Pick<GitDirSpec, 'branch' | 'origin' | 'upstream' | 'identity'>,
  signal?: AbortSignal,
): Promise<void> {
  const gitDir = join(tree, '.git');
  await makeGitDir(gitDir, { ...head, ...headOf(services, source) });
  services.step('tree:git-dir');
  await writeFiles(services, tree, gitDir, source, signal);
}

/** Writes the files of a commit into a tree whose git directory is there, and settles the index. */
export async function writeFiles(
  services: Services,
  tree: string,
  gitDir: string,
  source: TreeSource,
  signal?: AbortSignal,
): Promise<void> {
  const { supply } = source;
  if (supply.partial) await fillIn(services, source, signal);
  await services.git.run({
    what: `Writing the files of ${supply.commit}`,
    gitDir,
    workTree: tree,
    args: ['read-tree', '--reset', '-u', supply.commit],
    signal,
  });
  services.step('tree:written');
  if (wantsLfs(source)) await fillLfs(services, { tree, gitDir }, source, signal);
  await settleIndex(tree, join(gitDir, 'index'), supply.format);
}
