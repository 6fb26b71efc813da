import type { Clock } from './clock.ts';
import type { Duration } from './duration.ts';
import type { WorkspaceInstrumentation } from './instrumentation.ts';
import type { StrategyName, StrategyProbe } from './strategy.ts';
import type { Cancellable, Identity, PublishRules, Workspace } from './workspace.ts';

/** A way to reach a repository. `file` also stands for plain paths and `.bundle` files. */
export type Protocol = 'https' | 'http' | 'ssh' | 'file';

/** What a credential is wanted for. */
export interface CredentialRequest extends Cancellable {
  /** `fetch` needs reading rights only. */
  readonly operation: 'fetch' | 'push';
  /** Protocol of the address, such as `https`. */
  readonly protocol: string;
  /** Host, with its port where there is one. */
  readonly host: string;
  /** Path of the repository without a leading slash. */
  readonly path: string;
}

/** User and password (token) for one request of git. Never written anywhere. */
export interface Credential {
  /** User; many forges take any word beside a token. */
  readonly username: string;
  /** Password or token. */
  readonly password: string;
}

/** Answers git's question for a credential at the moment it is asked; undefined means that there is none. */
export type CredentialProvider = (request: CredentialRequest) => Promise<Credential | undefined>;

/** Progress of a long git operation. */
export interface Progress {
  /** What git is doing, such as `Receiving objects`. */
  readonly phase: string;
  /** From 0 to 100. */
  readonly percent: number;
  /** How many are done. */
  readonly done: number;
  /** Of how many. */
  readonly total: number;
}

/** Bounds in time and space. */
export interface WorkspaceLimits {
  /** Time of one fetch, clone or push. @default '15m' */
  readonly networkTimeout?: Duration;
  /** Time of one local git process. @default '5m' */
  readonly gitTimeout?: Duration;
  /** Bytes (blocks on disk) below the root, mirrors and templates included; more is evicted or refused. @default Infinity */
  readonly rootBytes?: number;
  /** Bytes of one workspace; checked by `prune` and before a commit. @default Infinity */
  readonly workspaceBytes?: number;
  /** Files and directories of one workspace. @default Infinity */
  readonly workspaceInodes?: number;
  /** Bytes of all live workspaces of one tenant; more refuses its next checkout. @default Infinity */
  readonly tenantBytes?: number;
  /** Files and directories of all live workspaces of one tenant. @default Infinity */
  readonly tenantInodes?: number;
  /** Bytes of the file system that stay free; below it things are evicted, then checkouts refused. @default 256 MiB */
  readonly freeBytes?: number;
}

/** Pre-warmed working trees. */
export interface PoolOptions {
  /** Members kept ready per (repository, commit, sparse cone) once it was asked for. @default 2 */
  readonly size?: number;
}

/** What is told about refused or surprising states; a logger such as pino fits. */
export interface WorkspaceLog {
  /** Normal but worth saying: the probe's answer, a sweep. */
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** Needs a look: a corrupt mirror, a lease that could not be removed. */
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Options of {@link createWorkspaceManager}. */
export interface WorkspaceManagerOptions {
  /** Directory that belongs to managers alone; it is made when missing. Agents need no right to write in `mirrors`. */
  readonly root: string;
  /** Ways to reach a repository that are allowed. @default ['https'] */
  readonly allowedProtocols?: readonly Protocol[];
  /** Gives credentials for fetch and push. @default none */
  readonly credentials?: CredentialProvider;
  /** Strategies to use, best first; what the probe refuses is skipped. @default ['overlay', 'snapshot', 'pool', 'clone'] */
  readonly strategies?: readonly StrategyName[];
  /**
   * Without the right to mount, let `overlay` mount in a user namespace of each workspace. Only programs that `exec` or
   * `launch` start see the files at `path`; this process reaches them at `hostPath`. @default false
   */
  readonly userNamespaces?: boolean;
  /** Author of commits where neither checkout nor commit names one. @default Millrace <millrace@localhost> */
  readonly identity?: Identity;
  /** Git processes at the same time in this manager. @default twice the processors */
  readonly concurrency?: number;
  /** Bounds in time and space. */
  readonly limits?: WorkspaceLimits;
  /** Rules for everything that leaves a workspace. */
  readonly rules?: PublishRules;
  /** Pre-warmed working trees for the strategy `pool`. */
  readonly pool?: PoolOptions;
  /** How old the mirror's knowledge of a branch may be before a checkout asks the remote; a commit id needs no question. @default 0 */
  readonly maxAge?: Duration;
  /**
   * Least time between the beginnings of two questions to a remote about one ref, or three times what the last answer
   * took, where that is less. Checkouts that come in between wait for the second question and share its answer, so that
   * many at once do not ask once each. @default 0
   */
  readonly askInterval?: Duration;
  /** Write symbolic links of the repository as links (`true`) or as small text files (`false`). @default true */
  readonly symlinks?: boolean;
  /** Go on with a git whose behaviour fails the safety probe. @default false */
  readonly allowUnsafeGit?: boolean;
  /** Program to use as git. @default 'git' */
  readonly git?: string;
  /** Observer. */
  readonly instrumentation?: WorkspaceInstrumentation;
  /** Logger. @default silent */
  readonly log?: WorkspaceLog;
  /** Time source. @default the machine's */
  readonly clock?: Clock;
}

/** Which submodules a checkout follows. */
export interface SubmoduleOptions {
  /** Hosts (with a port where there is one) that are allowed on top of the repository's own. @default [] */
  readonly hosts?: readonly string[];
  /** Levels of nesting. @default 3 */
  readonly depth?: number;
}

/** How the large files of git-lfs are brought. */
export interface LfsOptions {
  /** Address of the repository whose LFS server keeps them. What `.lfsconfig` says is not followed. @default the repository's own */
  readonly url?: string;
  /** Bytes of one large file at most. @default 2 GiB */
  readonly maxObjectBytes?: number;
  /** Bytes of all large files of one checkout at most. @default 16 GiB */
  readonly maxBytes?: number;
}

/** Options of {@link WorkspaceManager.checkout}. */
export interface CheckoutOptions extends Cancellable {
  /** Address of the repository: `https://…`, and where allowed `http://…`, `ssh://…`, `file://…`, a path, a `.bundle` file. */
  readonly repo: string;
  /** Other addresses of the same repository, tried in order when one can not be reached. @default [] */
  readonly remotes?: readonly string[];
  /** Branch, tag, full ref name or commit id. @default the default branch of the remote */
  readonly ref?: string;
  /** Branch to create at the base. @default none: detached at the base */
  readonly branch?: string;
  /** Directories of the sparse cone; absent means the whole tree. */
  readonly sparse?: readonly string[];
  /** Author of commits in this workspace. @default the manager's */
  readonly identity?: Identity;
  /** Strategy to use, no other. @default the best that works here */
  readonly strategy?: StrategyName;
  /**
   * The agent may write in what its siblings share: needed for the strategy `worktree`, in which all worktrees of a
   * repository have branches, configuration, hooks and objects in common. @default false
   */
  readonly trusted?: boolean;
  /** Who it is booked to, for quotas. */
  readonly tenant?: string;
  /**
   * Name of the lease: letters, digits, `.`, `_`, `-`. Naming the lease of a dead owner sweeps its leftovers and makes
   * the workspace anew, so that a repeated call after a crash is safe. @default a random name
   */
  readonly leaseId?: string;
  /** Mirror without file contents, which are fetched as checkouts need them; decided at the mirror's first use. @default false */
  readonly partial?: boolean;
  /**
   * Write submodules, each from a mirror of its own. `true` follows those at the repository's own host, three levels
   * deep; others are refused, unless their host is listed. @default false
   */
  readonly submodules?: boolean | SubmoduleOptions;
  /**
   * Write the large files of git-lfs, from a store that all workspaces of the repository share; git-lfs itself is not
   * needed. `push` sends new ones. @default false: their pointers stay, as small text files
   */
  readonly lfs?: boolean | LfsOptions;
  /** See {@link WorkspaceManagerOptions.maxAge}. */
  readonly maxAge?: Duration;
  /** Called as a fetch goes on. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Options of {@link WorkspaceManager.prefetch}. */
export interface PrefetchOptions extends Cancellable {
  /** Other addresses of the same repository. @default [] */
  readonly remotes?: readonly string[];
  /** Mirror without file contents; decided at the mirror's first use. @default false */
  readonly partial?: boolean;
  /** Also make a template (and restock the pool) of this ref. */
  readonly warm?: {
    readonly ref?: string;
    readonly sparse?: readonly string[];
    readonly lfs?: boolean | LfsOptions;
  };
  /** Called as the fetch goes on. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Options of {@link WorkspaceManager.resolve}. */
export interface ResolveOptions extends Cancellable {
  /** Address of the repository, as in a checkout. */
  readonly repo: string;
  /** Branch, tag, full ref name or commit id. @default the default branch of the remote */
  readonly ref?: string;
}

/** What {@link WorkspaceManager.prune} did. */
export interface PruneReport {
  /** Leases of dead owners or past their time that were removed. */
  readonly sweptLeases: readonly string[];
  /** Templates and pool members that were removed. */
  readonly evictedTemplates: number;
  /** Mirrors that were removed. */
  readonly evictedMirrors: number;
  /** Large files of git-lfs that were removed. */
  readonly evictedLargeFiles: number;
  /** Bytes given back. */
  readonly freedBytes: number;
  /** Leases whose workspace is over its bytes or inodes. */
  readonly overQuota: readonly string[];
}

/** One finding of {@link WorkspaceManager.doctor}. */
export interface Finding {
  /** `error` stops something from working, `warning` may. */
  readonly level: 'error' | 'warning';
  /** Short stable name. */
  readonly code: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** What {@link WorkspaceManager.inspect} sees. */
export interface Inspection {
  /** Version of git, such as `2.39.5`. */
  readonly gitVersion: string;
  /** What the probe said about each strategy. */
  readonly strategies: readonly StrategyProbe[];
  /** Safety probes of git that failed. */
  readonly unsafeGit: readonly string[];
  /** Mirrors below the root. */
  readonly mirrors: readonly MirrorInspection[];
  /** Leases below the root, of all managers. */
  readonly leases: readonly LeaseInspection[];
  /** Templates below the root. */
  readonly templates: number;
  /** Pool members that are ready. */
  readonly poolReady: number;
  /** Git processes that run now in this manager. */
  readonly gitProcesses: number;
  /** Git processes that wait for a slot in this manager. */
  readonly gitWaiting: number;
}

/** One mirror as {@link Inspection} shows it. */
export interface MirrorInspection {
  /** Address without credentials. */
  readonly repo: string;
  /** Generation in use. */
  readonly generation: number;
  /** When it last asked the remote for everything, in milliseconds since the epoch; undefined for never. */
  readonly fetchedAt: number | undefined;
  /** True when it has no file contents of its own. */
  readonly partial: boolean;
}

/** One lease as {@link Inspection} shows it. */
export interface LeaseInspection {
  /** Its name. */
  readonly leaseId: string;
  /** Address without credentials. */
  readonly repo: string;
  /** Tenant it is booked to. */
  readonly tenant: string | undefined;
  /** Where it is in its life. */
  readonly state: 'making' | 'ready' | 'kept' | 'removing';
  /** Strategy. */
  readonly strategy: StrategyName;
  /** False when the process that owns it is gone. */
  readonly ownerAlive: boolean;
  /** When it was made, in milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Makes workspaces from shared mirrors below one directory. */
export interface WorkspaceManager extends AsyncDisposable {
  /** Prepares the root, sweeps what dead owners left and probes the machine; every other call does it when needed. */
  ready(options?: Cancellable): Promise<void>;
  /**
   * Makes a workspace.
   * @throws {RepoNotFoundError} {@link RefNotFoundError} {@link AuthError} {@link NetworkError} {@link GitTimeoutError}
   * {@link DiskFullError} {@link CorruptRepoError} {@link RefusedByPolicyError} {@link LeaseHeldError}
   * {@link LfsObjectNotFoundError} {@link LfsCorruptError}
   */
  checkout(options: CheckoutOptions): Promise<Workspace>;
  /**
   * Asks the remote what a ref means, without making anything. A commit id is taken as it is, once the repository
   * answers. Throws what a checkout would throw for the address and the ref.
   */
  resolve(options: ResolveOptions): Promise<{ readonly sha: string }>;
  /** Brings a mirror up to date before somebody waits for it. */
  prefetch(repo: string, options?: PrefetchOptions): Promise<void>;
  /** Tells that a repository changed (a webhook came): the next checkout of a branch asks the remote whatever `maxAge` says. */
  hint(repo: string): Promise<void>;
  /** Sweeps dead leases, maintains mirrors, evicts what the quota does not hold. */
  prune(options?: Cancellable): Promise<PruneReport>;
  /** Looks for what is wrong below the root and on this machine. */
  doctor(options?: Cancellable): Promise<readonly Finding[]>;
  /** What there is. */
  inspect(options?: Cancellable): Promise<Inspection>;
  /** Disposes the workspaces of this manager that are not kept and stops background work. */
  close(): Promise<void>;
}
