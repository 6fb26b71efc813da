import type { RateLimit } from '../../contract/index.ts';

/**
 * Generic cell rate algorithm (ITU-T I.371): one number, the theoretical arrival time, instead of a bucket.
 *
 * @returns when the next start is allowed; not after `now`: it is allowed at once
 */
export function nextAllowed(tat: number, rate: RateLimit): number {
  const interval = rate.per / rate.limit;
  return tat + interval - interval * (rate.burst ?? rate.limit);
}

/** The theoretical arrival time after one more start at `now`. */
export function afterStart(tat: number, now: number, rate: RateLimit): number {
  return Math.max(tat, now) + rate.per / rate.limit;
}

/** The theoretical arrival time when a start is taken back. */
export function takeBack(tat: number, rate: RateLimit): number {
  return tat - rate.per / rate.limit;
}
