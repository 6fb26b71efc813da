import type { Duration } from './duration.ts';
import type { StrategyName } from './strategy.ts';

/** Who a commit is by. */
export interface Identity {
  /** Name as in `git config user.name`. */
  readonly name: string;
  /** Address as in `git config user.email`. */
  readonly email: string;
}

/** A call that can be given up. */
export interface Cancellable {
  /** Aborts the call; processes that it started are killed with their children. */
  readonly signal?: AbortSignal;
}

/** How a workspace came to be and what it costs. */
export interface WorkspaceStats {
  /** Strategy that made the working tree. */
  readonly strategy: StrategyName;
  /** True when nothing had to be fetched and a template or a pool member was ready. */
  readonly warm: boolean;
  /** From the call of `checkout` to its answer, in milliseconds. */
  readonly durationMs: number;
  /** Time in the network, in milliseconds. */
  readonly fetchMs: number;
}

/** Options of {@link Workspace.exec}. */
export interface ExecOptions extends Cancellable {
  /** Variables on top of the clean environment (`PATH`, `HOME`, `LANG`, `TMPDIR` and git's safe settings). */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory relative to the workspace. @default '.' */
  readonly cwd?: string;
  /** Text for the standard input. @default '' */
  readonly stdin?: string;
  /** Time until the whole process group is killed. @default '10m' */
  readonly timeout?: Duration;
  /** Bytes kept of each of the two outputs; what is more is dropped and `truncated` says so. @default 16 MiB */
  readonly maxOutput?: number;
  /** Called with each piece of output as it comes. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}

/** How a command ended. */
export interface ExecResult {
  /** Exit code; undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** Signal that ended it; undefined when it ended by itself. */
  readonly signal: NodeJS.Signals | undefined;
  /** Standard output as UTF-8. */
  readonly stdout: string;
  /** Standard error as UTF-8. */
  readonly stderr: string;
  /** True when an output was longer than `maxOutput`. */
  readonly truncated: boolean;
}

/** A changed path between the base and the working tree. */
export interface StatusEntry {
  /** Path relative to the workspace, with `/`. */
  readonly path: string;
  /** What happened to it since the base commit. */
  readonly change: 'added' | 'modified' | 'deleted' | 'type-changed';
}

/** What the working tree holds against the tip of the branch. */
export interface WorkspaceStatus {
  /** Tip of the branch: the base, or the last commit of the agent or of `commitAll`. */
  readonly head: string;
  /** Branch; undefined when detached. */
  readonly branch: string | undefined;
  /** True when there is nothing to commit. */
  readonly clean: boolean;
  /** Uncommitted changes, untracked files included, ignored ones not. */
  readonly entries: readonly StatusEntry[];
}

/** Options of {@link Workspace.diff} and {@link Workspace.patch}. */
export interface DiffOptions extends Cancellable {
  /**
   * `patch` (text), `binary` (a patch that holds binary files too and can be applied), `stat`, `numstat`, `name-status`.
   * @default 'patch'
   */
  readonly format?: 'patch' | 'binary' | 'stat' | 'numstat' | 'name-status';
  /** Other end: the commit the workspace started from, or the tip of the branch. @default 'base' */
  readonly from?: 'base' | 'head';
  /**
   * One end: the id of a commit of this workspace, as {@link Workspace.commitAll} gave it. Cheaper than the working tree,
   * which must be read. @default the working tree
   */
  readonly to?: string;
  /** Bytes at most; more is {@link RefusedByPolicyError} with rule `diff-size`. @default 64 MiB */
  readonly maxBytes?: number;
}

/** Options of {@link Workspace.commitAll}. */
export interface CommitOptions extends Cancellable {
  /** Message. */
  readonly message: string;
  /** Author and committer. @default the identity of the checkout */
  readonly author?: Identity;
  /** Committer, where it is not the author. @default `author` */
  readonly committer?: Identity;
  /**
   * Date of author and committer. The same tree, parent, message, identities and date give the same commit id, which
   * makes a repeated run after a crash idempotent. @default now
   */
  readonly date?: Date;
  /**
   * The workspace's last commit: nobody works in it any more, so its own repository is not told of the commit, and what
   * is committed there later is not looked at. @default false
   */
  readonly final?: boolean;
}

/** A commit that was made. */
export interface Commit {
  /** Its id. */
  readonly sha: string;
}

/** Rules for what leaves a workspace. All are checked in a repository of the host's own, after fsck. */
export interface PublishRules {
  /** Commits must descend from the base. @default true */
  readonly descendsFromBase?: boolean;
  /** Commits on top of the base at most. @default 1000 */
  readonly maxCommits?: number;
  /** Bytes of new objects at most. @default 256 MiB */
  readonly maxBytes?: number;
  /** Bytes of one file at most. @default 100 MiB */
  readonly maxFileBytes?: number;
  /** Patterns (gitignore-like globs: `*`, `**`, `?`) of paths that must not change. @default [] */
  readonly forbiddenPaths?: readonly string[];
  /** Allowed author and committer addresses; absent means any. */
  readonly allowedEmails?: readonly string[];
  /** Allowed branch names as glob patterns; absent means any valid one. */
  readonly allowedBranches?: readonly string[];
  /** Allow links that point out of the tree, or are absolute. @default false */
  readonly outsideSymlinks?: boolean;
}

/** Options of {@link Workspace.push}. */
export interface PushOptions extends Cancellable {
  /** Address to push to. @default the address of the checkout */
  readonly remote?: string;
  /** Branch there. @default the branch of the workspace */
  readonly branch?: string;
  /**
   * What may be there already: `create-or-forward` takes a missing branch, the same commit or an ancestor;
   * `replace` overwrites what was seen just before (never what came in between). @default 'create-or-forward'
   */
  readonly mode?: 'create-or-forward' | 'replace';
  /** Rules on top of those of the manager. */
  readonly rules?: PublishRules;
}

/** What a push did. */
export interface PushResult {
  /** Full name of the ref at the remote. */
  readonly ref: string;
  /** Commit it points to. */
  readonly sha: string;
  /** `unchanged` when the remote had this commit there already. */
  readonly status: 'pushed' | 'unchanged';
}

/** Options of {@link Workspace.bundle}. */
export interface BundleOptions extends Cancellable {
  /** File to write; it must not exist. */
  readonly path: string;
  /** Rules on top of those of the manager. */
  readonly rules?: PublishRules;
}

/** A saved state of the working tree, committed or not. */
export interface Checkpoint {
  /** Tree id; kept from garbage collection while the workspace lives. */
  readonly tree: string;
  /** Tip of the branch at that time. */
  readonly head: string;
}

/** A program with arguments, ready for `spawn`. */
export interface Launch {
  /** Program. */
  readonly command: string;
  /** Arguments. */
  readonly args: readonly string[];
  /** Working directory for `spawn`. */
  readonly cwd: string;
}

/**
 * An isolated working tree with a `.git` of its own in which everything works that works in a clone. It belongs to
 * whoever works in it; the host's own questions (`status`, `diff`, `commitAll`, `push`) never run git inside that
 * `.git`, so that nothing an agent writes there is executed on the host's side.
 */
export interface Workspace extends AsyncDisposable {
  /** Name of the lease. */
  readonly leaseId: string;
  /** Absolute path of the working tree, for programs that `exec` and `launch` start. */
  readonly path: string;
  /** The same folder for file calls of this process; differs from `path` only with `userNamespaces`. */
  readonly hostPath: string;
  /** Commit it started from. */
  readonly base: string;
  /** Branch it is on; undefined when detached. */
  readonly branch: string | undefined;
  /** How it came to be. */
  readonly stats: WorkspaceStats;
  /**
   * Runs a program in the workspace on the agent's side: own process group, clean environment, no shell.
   * A non-zero exit is an answer, not an error.
   * @throws {GitTimeoutError} when the time is over
   */
  exec(command: string, args?: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Says how to start a program in the workspace with a `spawn` of one's own. */
  launch(command: string, args?: readonly string[]): Launch;
  /** What is uncommitted. */
  status(options?: Cancellable): Promise<WorkspaceStatus>;
  /** Changes, untracked files included, as text. */
  diff(options?: DiffOptions): Promise<string>;
  /** The same as {@link diff}, byte for byte (`format` defaults to `binary`). */
  patch(options?: DiffOptions): Promise<Buffer>;
  /**
   * Commits everything that is not ignored on top of the agent's own commits; undefined when nothing changed. The
   * workspace's branch moves to the new commit.
   * @throws {RefusedByPolicyError} when the agent's own commits break a rule
   */
  commitAll(options: string | CommitOptions): Promise<Commit | undefined>;
  /** Writes a checked bundle of what is on top of the base. */
  bundle(options: BundleOptions): Promise<Commit>;
  /**
   * Brings the branch to the remote, from a repository of the host's own. Idempotent.
   * @throws {DivergedError} when the remote's branch holds something else
   * @throws {RefusedByPolicyError} when a rule forbids what is in it
   */
  push(options?: PushOptions): Promise<PushResult>;
  /** Saves the working tree, untracked files included, ignored ones not. */
  snapshot(options?: Cancellable): Promise<Checkpoint>;
  /** Brings the working tree back to a checkpoint of this workspace; ignored files stay. */
  restore(checkpoint: Checkpoint, options?: Cancellable): Promise<void>;
  /** Lets the workspace outlive this manager; it goes at a `dispose`, at the next `checkout` of its lease id, or when the time is over. */
  keep(duration?: Duration): Promise<void>;
  /** Removes the workspace, its lease and its pin. Safe to call twice. */
  dispose(): Promise<void>;
}
