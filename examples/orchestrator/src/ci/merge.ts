import type { CheckStatus, Observation } from './observation.ts';

/** How far a status is along. */
export const statusRank: Record<CheckStatus, number> = { queued: 0, in_progress: 1, completed: 2 };

/**
 * Orders two statements about the same check: positive when `a` is the later truth. `saveObservations` states the same
 * order in SQL. It is total, so keeping the
 * maximum is commutative, associative and idempotent: deliveries may come in any order, twice, or be repeated by a poll.
 *
 * 1. a newer object (a re-run that made a new check) beats an older one, whenever its statements arrive;
 * 2. a higher attempt of the same object beats a lower one;
 * 3. then the forge's clock decides;
 * 4. at the same second, a state further along does (the clock has whole seconds: a job can begin and end in one);
 * 5. what is left is made the same everywhere by comparing text.
 */
export function compareObservations(a: Observation, b: Observation): number {
  return (
    a.objectId - b.objectId ||
    a.attempt - b.attempt ||
    a.observedAt - b.observedAt ||
    statusRank[a.status] - statusRank[b.status] ||
    compareText(a.conclusion, b.conclusion) ||
    compareText(a.name, b.name) ||
    compareText(a.parent, b.parent) ||
    compareText(a.url, b.url)
  );
}

/** The later truth of two statements about the same check. */
export function mergeObservations(a: Observation, b: Observation): Observation {
  return compareObservations(a, b) >= 0 ? a : b;
}

/** Identity of a check within its commit. */
export function checkId({ source, key }: Pick<Observation, 'source' | 'key'>): string {
  return `${source}:${key}`;
}

/** The latest truth about every check of one commit. */
export function latest(observations: Iterable<Observation>): Map<string, Observation> {
  const checks = new Map<string, Observation>();
  for (const observation of observations) {
    const id = checkId(observation);
    const known = checks.get(id);
    checks.set(id, known ? mergeObservations(known, observation) : observation);
  }
  return checks;
}

/** By code units; the `C` collation of PostgreSQL orders the same way. What is absent comes first. */
function compareText(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
