/**
 * Named sets of histogram edges. The goals that alerts are about (5 s of queue lag, 10 s to a job's start) are exact edges
 * of every set that can meet them: a share "within 5 s" is then counted, never interpolated.
 */
export const bucketSets = {
  /** Calls of a store or a network: 1 ms to 30 s. */
  short: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  /** Waiting for a turn: 10 ms to an hour. */
  wait: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
  /** Work: 10 ms to four hours, since agents work for long. */
  work: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600, 14_400],
  /** A tenant's waits: few edges, because there is one series per tenant. */
  coarse: [1, 5, 10, 60, 600],
} as const;

/** Name of a set of histogram edges. */
export type BucketSet = keyof typeof bucketSets;
