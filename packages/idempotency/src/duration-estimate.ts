import { LRUCache } from 'lru-cache';

/** Operations remembered per process; the rarest is forgotten first. */
const maxOperations = 1000;

/** Weight of the newest observation in the moving average. */
const alpha = 0.2;

/** Shortest and, for an operation never seen to finish, default answer (milliseconds). */
const floor = 50;
const unknown = 1000;

/** How long each operation usually takes, so that a duplicate is told when to come back. */
export interface DurationEstimate {
  /** An execution of `operation` took `ms` milliseconds. */
  observe(operation: string, ms: number): void;
  /** Milliseconds until an execution that has run for `elapsed` is likely to be over. */
  remaining(operation: string, elapsed: number): number;
}

/** Exponentially weighted moving average of the duration, with its mean deviation as the margin (as in RFC 6298 §2). */
export function durationEstimate(): DurationEstimate {
  const known = new LRUCache<string, { mean: number; deviation: number }>({ max: maxOperations });
  return {
    observe(operation, ms) {
      const seen = known.get(operation);
      if (!seen) return void known.set(operation, { mean: ms, deviation: ms / 2 });
      seen.deviation += alpha * (Math.abs(ms - seen.mean) - seen.deviation);
      seen.mean += alpha * (ms - seen.mean);
    },
    remaining(operation, elapsed) {
      const seen = known.get(operation);
      if (!seen) return unknown;
      const rest = seen.mean + seen.deviation - elapsed;
      // Longer than it ever took: no estimate is better than waiting as long again as is usual.
      return Math.max(floor, rest > 0 ? rest : seen.mean);
    },
  };
}
