import { join } from 'node:path';
import { writeHead } from '../git/git-dir.ts';
import type { AgentGitDir } from '../host/agent-git-dir.ts';
import type { Lease } from '../lease/lease.ts';
import type { TreeView } from '../overlay/mounts.ts';
import type { Services } from '../services.ts';
import type { StrategyName, StrategyProbe } from '../strategy.ts';
import { headOf, type TreeSource } from '../template/tree.ts';
import type { Identity } from '../workspace.ts';

/** What a strategy is asked for. */
export interface MakeRequest extends TreeSource {
  readonly lease: Lease;
  /** Folder of the workspace; it exists and is empty. */
  readonly folder: string;
  readonly branch: string | undefined;
  readonly origin: string;
  readonly identity: Identity;
  readonly signal?: AbortSignal | undefined;
  /** Writes the submodules into a tree that has a `.git/config`; absent when nobody asked for them. */
  readonly fill?: ((tree: string) => Promise<void>) | undefined;
}

/** A working tree that was made. */
export interface Made {
  /** The working tree. */
  readonly view: TreeView;
  /** True when it had been prepared before. */
  readonly warm: boolean;
  /** Index of the pristine tree, which nobody but the host may write; the strategy says where it is. */
  readonly pristineIndex: string;
  /** Where the agent's git directory is. @default `.git` in the tree */
  readonly agent?: AgentGitDir;
}

/** One way to make a working tree. */
export interface Strategy {
  readonly name: StrategyName;
  /** Tries it below the root. */
  probe(services: Services): Promise<StrategyProbe>;
  /** The template that `make` will use: the lease names it before, so that nobody evicts it. */
  templateOf?(services: Services, source: TreeSource): string;
  /** Makes the tree; undefined when it has nothing ready (then the next strategy is asked). */
  make(services: Services, request: MakeRequest): Promise<Made | undefined>;
}

/** Makes a prepared tree this checkout's own (branch, origin, author) and writes its submodules. */
export async function personalise(services: Services, tree: string, request: MakeRequest): Promise<void> {
  const { branch, origin, identity, supply } = request;
  const head = { branch, origin, identity, upstream: supply.name };
  await writeHead(join(tree, '.git'), { ...head, ...headOf(services, request) });
  await request.fill?.(tree);
}
