/** Where a statement about a commit comes from: GitHub's event names, one for each kind of object that has a state. */
export const checkSources = ['check_suite', 'check_run', 'workflow_run', 'workflow_job', 'status'] as const;

export type CheckSource = (typeof checkSources)[number];

/** How far a check is. `queued` holds every state before the work begins (requested, waiting, pending). */
export type CheckStatus = 'queued' | 'in_progress' | 'completed';

/**
 * How a completed check ended. `success`, `neutral` and `skipped` let a commit pass; the others do not.
 * https://docs.github.com/en/rest/checks/runs
 */
export type CheckConclusion =
  | 'success'
  | 'neutral'
  | 'skipped'
  | 'failure'
  | 'cancelled'
  | 'timed_out'
  | 'action_required'
  | 'stale'
  | 'startup_failure';

/**
 * One statement about one check of one commit, from a webhook or from a poll. Statements may come late, twice, in any
 * order, or never: see `mergeObservations`.
 */
export interface Observation {
  /** Id of the repository at the forge; names change, ids do not. */
  readonly repoId: number;
  /** The commit. */
  readonly sha: string;
  readonly source: CheckSource;
  /** What the forge calls this check: stable over re-runs, unique within (repo, commit, source). */
  readonly key: string;
  /** The key of the group, within the source that {@link parentSourceOf} names; `undefined` for a group or a lone status. */
  readonly parent: string | undefined;
  /** Human-readable name. */
  readonly name: string;
  /** The forge's id of the object. A re-run that makes a new object gets a larger one. */
  readonly objectId: number;
  /** 1-based count of re-runs of the same object. */
  readonly attempt: number;
  readonly status: CheckStatus;
  /** Present if and only if the status is `completed`. */
  readonly conclusion: CheckConclusion | undefined;
  /** The forge's own time of this state, milliseconds since the epoch; whole seconds, so that ties are common. */
  readonly observedAt: number;
  readonly url: string | undefined;
}

/** The source in which a check's group is found. */
export function parentSourceOf(source: CheckSource): CheckSource | undefined {
  if (source === 'check_run') return 'check_suite';
  if (source === 'workflow_job') return 'workflow_run';
  return undefined;
}
