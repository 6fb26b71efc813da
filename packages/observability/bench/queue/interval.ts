import { median } from '../result.ts';

/** A ratio with the interval in which it lies with 95 % probability. */
export interface Ratio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 2_000;

/**
 * The median of paired ratios, and its interval by the bootstrap (Efron 1979): groups are drawn with replacement, since what
 * differs between processes (placement in memory, what the compiler chose) is shared by all pairs of a group, then pairs within them.
 */
export function ratioOf(groups: readonly (readonly number[])[]): Ratio {
  const draws = Array.from({ length: resamples }, () => median(draw(groups).flatMap(draw))).sort((a, b) => a - b);
  const at = (share: number): number => draws[Math.floor(share * (resamples - 1))] ?? Number.NaN;
  return { ratio: median(groups.flat()), low: at(0.025), high: at(0.975) };
}

function draw<T>(from: readonly T[]): T[] {
  return from.map(() => from[Math.floor(Math.random() * from.length)] as T);
}
