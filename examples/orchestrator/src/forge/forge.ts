import type { CheckSource, Observation } from '../ci/observation.ts';

/** What a pull request should be. */
export interface PullRequestDraft {
  readonly repoId: string;
  readonly repoUrl: string;
  /** Branch that holds the change. */
  readonly head: string;
  readonly headSha: string;
  /** Branch it should go into; the forge's default branch when absent. */
  readonly base: string | undefined;
  readonly title: string;
  readonly body: string;
}

export interface PullRequest {
  readonly number: number;
  /** Where people see it; `null` where the forge has no pages. */
  readonly url: string | null;
  /** The repository's id at the forge, which its webhooks name; `null` where there are no webhooks. */
  readonly forgeRepoId: number | null;
}

/** A comment on a pull request. */
export interface CommentDraft {
  readonly repoId: string;
  readonly repoUrl: string;
  readonly number: number;
  /** Tells this comment from others of ours: a comment with the same mark is brought up to date, not repeated. */
  readonly mark: string;
  readonly body: string;
}

/** A commit whose checks are asked for. */
export interface CheckedCommitName {
  readonly repoUrl: string;
  readonly forgeRepoId: number;
  readonly sha: string;
}

/** The place that keeps repositories and pull requests. Every effect may be repeated: it is looked up before it is made. */
export interface Forge {
  readonly name: string;
  /** Whether checks are reported for the commits of this repository, so that a run can wait for them. */
  readonly reportsChecks: boolean;
  /** Opens the pull request of a branch, or brings the one that is open up to date. */
  openPullRequest(draft: PullRequestDraft, signal: AbortSignal): Promise<PullRequest>;
  /** Writes a comment, or brings the one with the same mark up to date. */
  comment(draft: CommentDraft, signal: AbortSignal): Promise<void>;
  /** What the forge knows about a commit now: one call per source at least. */
  readChecks(
    commit: CheckedCommitName,
    sources: readonly CheckSource[],
    signal: AbortSignal,
  ): Promise<readonly Observation[]>;
}

/** The forge could not do what was asked. */
export class ForgeError extends Error {
  override readonly name = 'ForgeError' as const;
  readonly code = 'ERR_FORGE' as const;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** Milliseconds the forge, or our own limits for it, ask to wait. */
  readonly retryAfter: number | undefined;

  constructor(
    message: string,
    options: {
      readonly retryable: boolean;
      readonly status?: number | undefined;
      readonly retryAfter?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
    this.status = options.status;
    this.retryAfter = options.retryAfter;
  }
}
