/** What every error of this package may carry. */
export interface WorkspaceErrorOptions {
  /** The error below. */
  readonly cause?: unknown;
  /** Last lines of git's own words, with credentials removed. */
  readonly stderr?: string;
  /** Milliseconds after which another try makes sense. */
  readonly retryAfter?: number;
}

/** Base of all errors that this package throws on purpose. */
export class WorkspaceError extends Error {
  /** Stable name for programs: `ERR_WORKSPACE_…`. */
  readonly code: string = 'ERR_WORKSPACE';
  /** True when the same call may go well later without a change by the caller. */
  readonly retryable: boolean = false;
  /** Last lines of git's own words, with credentials removed; undefined when git said nothing. */
  readonly stderr: string | undefined;
  /** Milliseconds after which another try makes sense; undefined when waiting does not help. */
  readonly retryAfter: number | undefined;
  override readonly name: string = 'WorkspaceError';
  /**
   * @param message what happened and what to do
   * @param options cause, git's words, waiting time
   */
  constructor(message: string, options: WorkspaceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.stderr = options.stderr;
    this.retryAfter = options.retryAfter;
  }
}

/** An option has a value that can not work. */
export class InvalidOptionError extends WorkspaceError {
  override readonly code: string = 'ERR_WORKSPACE_INVALID_OPTION';
  override readonly name: string = 'InvalidOptionError';
  /** Name of the option. */
  readonly option: string;
  /**
   * @param option name of the option
   * @param rule what it must be
   */
  constructor(option: string, rule: string) {
    super(`Option \`${option}\` ${rule}`);
    this.option = option;
  }
}

/** The remote has no such repository (or hides it from these credentials). */
export class RepoNotFoundError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_REPO_NOT_FOUND' as const;
  override readonly name = 'RepoNotFoundError';
}

/** The repository has no such branch, tag or commit, or it has no commit at all. */
export class RefNotFoundError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_REF_NOT_FOUND' as const;
  override readonly name = 'RefNotFoundError';
}

/** The remote refused the credentials, or wanted some and got none. */
export class AuthError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_AUTH' as const;
  override readonly name = 'AuthError';
}

/** The remote could not be reached, or the link broke. */
export class NetworkError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_NETWORK' as const;
  override readonly retryable = true;
  override readonly name = 'NetworkError';
}

/** A git process did not end in its time and was killed with its children. */
export class GitTimeoutError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_TIMEOUT' as const;
  override readonly retryable = true;
  override readonly name = 'GitTimeoutError';
}

/** No room: the disk, the workspace's or the tenant's quota is used up. */
export class DiskFullError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_DISK_FULL' as const;
  override readonly retryable = true;
  override readonly name = 'DiskFullError';
}

/** Objects or refs of a repository are broken or missing. */
export class CorruptRepoError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_CORRUPT' as const;
  override readonly retryable = true;
  override readonly name = 'CorruptRepoError';
}

/** The LFS server, and everything here, lacks a large file that a pointer names. */
export class LfsObjectNotFoundError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_LFS_NOT_FOUND' as const;
  override readonly name = 'LfsObjectNotFoundError';
}

/** The LFS server sent something else than what the pointer names. */
export class LfsCorruptError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_LFS_CORRUPT' as const;
  override readonly retryable = true;
  override readonly name = 'LfsCorruptError';
}

/** A rule of this manager forbids it: protocol, ref name, path, history, size, unsafe git. */
export class RefusedByPolicyError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_REFUSED' as const;
  override readonly name = 'RefusedByPolicyError';
  /** The rule that refused. */
  readonly rule: string;
  /**
   * @param rule short stable name of the rule
   * @param message what was refused and what to do
   * @param options cause and git's words
   */
  constructor(rule: string, message: string, options?: WorkspaceErrorOptions) {
    super(message, options);
    this.rule = rule;
  }
}

/** The remote's branch moved away, so that a push or a base does not fit any more. */
export class DivergedError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_DIVERGED' as const;
  override readonly name = 'DivergedError';
}

/** A lease of that name is held by a living owner. */
export class LeaseHeldError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_LEASE_HELD' as const;
  override readonly retryable = true;
  override readonly name = 'LeaseHeldError';
}

/** The workspace or its manager was disposed before the call. */
export class DisposedError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_DISPOSED' as const;
  override readonly name = 'DisposedError';
}

/** A wanted strategy does not work on this machine. */
export class StrategyUnavailableError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_STRATEGY_UNAVAILABLE' as const;
  override readonly name = 'StrategyUnavailableError';
}

/** Git ended with an error that has no better name here. */
export class GitFailedError extends WorkspaceError {
  override readonly code = 'ERR_WORKSPACE_GIT' as const;
  override readonly name = 'GitFailedError';
}
