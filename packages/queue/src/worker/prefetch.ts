/** How many jobs to hold beyond the free slots. */
export interface Prefetch {
  /** A handler ran this long. */
  ran(ms: number): void;
  /** An exchange took this long. */
  answered(ms: number): void;
  /** Jobs to have waiting in the worker. */
  target(concurrency: number): number;
  /** Milliseconds after which a job that is still not started is given back. */
  patience(): number;
}

/** Most jobs held beyond the slots. */
const most = 500;
/** Weight of the newest observation. */
const alpha = 0.2;

/**
 * While an exchange is under way the slots finish `concurrency × (round trip ÷ handler time)` jobs: holding that many keeps them busy.
 * Handlers that take longer than the round trip need none, so long jobs are never held back from other workers.
 */
export function createPrefetch(setting: 'auto' | number): Prefetch {
  let handler: number | undefined;
  let trip: number | undefined;
  const blend = (old: number | undefined, ms: number): number => (old === undefined ? ms : old + alpha * (ms - old));
  return {
    ran: (ms) => {
      handler = blend(handler, ms);
    },
    answered: (ms) => {
      trip = blend(trip, ms);
    },
    target: (concurrency) => {
      if (setting !== 'auto') return setting;
      if (handler === undefined || trip === undefined || handler >= trip) return 0;
      return Math.min(most, Math.ceil(concurrency * Math.min(10, trip / Math.max(handler, 0.01))));
    },
    patience: () => 250 + 4 * (trip ?? 0),
  };
}
