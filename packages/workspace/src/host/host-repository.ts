import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing } from '../files/record.ts';
import { settingsCount, settingsEnvironment } from '../git/environment.ts';
import { makeGitDir } from '../git/git-dir.ts';
import type { GitCall } from '../git/run.ts';
import type { LfsSource } from '../lfs/fill.ts';
import { filterSettings } from '../lfs/filter.ts';
import type { TreeView } from '../overlay/mounts.ts';
import type { ProcessResult } from '../process.ts';
import { discard } from '../root.ts';
import type { Services } from '../services.ts';
import type { AgentGitDir } from './agent-git-dir.ts';

/** What the host knows of a workspace, from its own records, never from what lies in the workspace. */
export interface HostContext {
  readonly services: Services;
  readonly leaseId: string;
  /** Folder of the workspace; the agent's tree is `tree` in it, the host's repository `host.git`. */
  readonly folder: string;
  /** The agent's working tree. */
  readonly view: TreeView;
  /** The agent's git directory. */
  readonly agent: AgentGitDir;
  /** Index of the pristine tree. */
  readonly pristineIndex: string;
  /** Generation whose objects are borrowed. */
  readonly borrowFrom: string;
  readonly format: 'sha1' | 'sha256';
  readonly base: string;
  /** Address of the repository. */
  readonly origin: string;
  readonly sparse: readonly string[];
  /** How large files are brought; undefined when their pointers stay. */
  readonly lfs: LfsSource | undefined;
}

/** A call of git in the host's repository; `inTree` gives it the agent's files. */
export interface HostCall extends Omit<GitCall, 'gitDir' | 'workTree' | 'prefix'> {
  readonly inTree?: boolean;
}

/** The host's own repository of a workspace: same base, own configuration, own index, own objects. */
export interface HostRepository {
  readonly context: HostContext;
  readonly gitDir: string;
  /** Tip of what the host has accepted so far. */
  tip(): Promise<string>;
  /** Moves the tip. */
  setTip(commit: string): Promise<void>;
  /** Runs git here. */
  run(call: HostCall): Promise<ProcessResult>;
  /** Runs git here, for its output. */
  text(call: HostCall): Promise<string>;
}

async function makeHostGitDir(context: HostContext, gitDir: string): Promise<void> {
  const staged = `${gitDir}.new`;
  await rm(staged, { recursive: true, force: true });
  await makeGitDir(staged, {
    borrowFrom: context.borrowFrom,
    format: context.format,
    commit: context.base,
    sparse: context.sparse,
    symlinks: context.services.symlinks,
    whole: false,
  });
  // The pristine index was settled: its stat data is the working tree's, so that nothing has to be hashed again.
  await copyFile(context.pristineIndex, join(staged, 'index'));
  await rename(staged, gitDir);
}

/** Opens the host's repository of a workspace, making it at first use. */
export async function openHostRepository(context: HostContext): Promise<HostRepository> {
  const gitDir = join(context.folder, 'host.git');
  if ((await stat(gitDir).catch(orMissing)) === undefined) await makeHostGitDir(context, gitDir);
  const { git } = context.services;
  const { path, enter } = context.view;
  const filters = context.lfs && settingsEnvironment(filterSettings, settingsCount(context.services));
  const calling = ({ inTree, ...call }: HostCall): GitCall => ({
    gitDir,
    ...call,
    ...(inTree ? { workTree: path, prefix: enter(path), env: { ...filters, ...call.env } } : {}),
  });
  // Nobody else writes it, and every operation asks.
  let tip = (await readFile(join(gitDir, 'HEAD'), 'utf8')).trim();
  return {
    context,
    gitDir,
    tip: async () => tip,
    setTip: async (commit) => {
      await writeFile(join(gitDir, 'HEAD.new'), `${commit}\n`);
      await rename(join(gitDir, 'HEAD.new'), join(gitDir, 'HEAD'));
      tip = commit;
    },
    run: (call) => git.run(calling(call)),
    text: (call) => git.text(calling(call)),
  };
}

/** A repository for the time of one import: reads what the host trusts, receives what the agent made. */
export async function withIncoming<T>(host: HostRepository, work: (gitDir: string) => Promise<T>): Promise<T> {
  const { context } = host;
  const gitDir = join(context.folder, 'incoming.git');
  await discard(context.services.root, gitDir);
  await makeGitDir(gitDir, {
    borrowFrom: host.gitDir,
    format: context.format,
    commit: context.base,
    sparse: [],
    symlinks: true,
  });
  await mkdir(join(gitDir, 'objects', 'pack'), { recursive: true });
  try {
    return await work(gitDir);
  } finally {
    await discard(context.services.root, gitDir);
  }
}
