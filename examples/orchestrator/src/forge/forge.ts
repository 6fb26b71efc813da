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
}

/** The place that keeps repositories and pull requests. Every effect may be repeated: it is looked up before it is made. */
export interface Forge {
  readonly name: string;
  /** Whether checks are reported for the commits of this repository, so that a run can wait for them. */
  readonly reportsChecks: boolean;
  /** Opens the pull request of a branch, or brings the one that is open up to date. */
  openPullRequest(draft: PullRequestDraft, signal: AbortSignal): Promise<PullRequest>;
}
