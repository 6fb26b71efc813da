import { checkId } from './merge.ts';
import { type CheckConclusion, type Observation, parentSourceOf } from './observation.ts';

/** The state of a commit as a whole; `none` while no check is known. */
export type RollupState = 'none' | 'pending' | 'success' | 'failure';

/** What the checks of a commit say together. */
export interface Rollup {
  readonly state: RollupState;
  /** Names of the checks that failed, sorted. */
  readonly failing: readonly string[];
  /** Names of the checks that are not completed, sorted. */
  readonly waiting: readonly string[];
}

const passing: ReadonlySet<CheckConclusion> = new Set(['success', 'neutral', 'skipped']);

/**
 * Folds the latest truth about every check of one commit. One failure decides at once, without waiting for the rest.
 * A group that has completed after its member was last heard of speaks for the member: the message that would have
 * ended the member is lost or late, and must not hold the commit for ever.
 */
export function rollUp(checks: ReadonlyMap<string, Observation>): Rollup {
  const failing = new Set<string>();
  const waiting = new Set<string>();
  for (const check of checks.values()) {
    if (check.status === 'completed') {
      if (!passes(check)) failing.add(check.name);
    } else if (!endedByGroup(check, checks)) {
      waiting.add(check.name);
    }
  }
  return {
    state: stateOf(checks.size, failing.size, waiting.size),
    failing: sorted(failing),
    waiting: sorted(waiting),
  };
}

function passes({ conclusion }: Observation): boolean {
  return conclusion !== undefined && passing.has(conclusion);
}

function endedByGroup(check: Observation, checks: ReadonlyMap<string, Observation>): boolean {
  const source = parentSourceOf(check.source);
  if (source === undefined || check.parent === undefined) return false;
  const group = checks.get(checkId({ source, key: check.parent }));
  return group?.status === 'completed' && group.attempt >= check.attempt && group.observedAt >= check.observedAt;
}

function stateOf(known: number, failing: number, waiting: number): RollupState {
  if (failing > 0) return 'failure';
  if (waiting > 0) return 'pending';
  return known > 0 ? 'success' : 'none';
}

function sorted(names: ReadonlySet<string>): readonly string[] {
  return [...names].sort();
}
