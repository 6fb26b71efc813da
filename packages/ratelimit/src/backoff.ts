import { type Duration, toMilliseconds } from './duration.ts';

/** How the random part of a delay is chosen. */
export type Jitter = 'full' | 'decorrelated' | 'none';

/** Options of {@link exponential}. */
export interface BackoffOptions {
  /** Delay scale of the first retry. @default '500ms' */
  readonly base?: Duration;
  /** Longest delay. @default '30s' */
  readonly max?: Duration;
  /** Growth per attempt (`full` and `none`). @default 2 */
  readonly factor?: number;
  /**
   * `full`: anywhere between 0 and the exponential delay. `decorrelated`: between `base` and three times the last delay.
   * @default 'full'
   * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
   */
  readonly jitter?: Jitter;
}

/** Milliseconds before the next attempt, from the number of the failed attempt (1-based) and the delay before it. */
export type Backoff = (attempt: number, previous: number, random: () => number) => number;

/** Exponentially growing delays with jitter, so that callers who failed together do not come back together. */
export function exponential(options: BackoffOptions = {}): Backoff {
  const base = toMilliseconds(options.base ?? 500, 'base');
  const max = toMilliseconds(options.max ?? 30_000, 'max');
  const { factor = 2, jitter = 'full' } = options;
  if (jitter === 'decorrelated') {
    return (_, previous, random) => Math.min(max, base + random() * (Math.max(previous, base) * 3 - base));
  }
  return (attempt, _, random) => {
    const ceiling = Math.min(max, base * factor ** (attempt - 1));
    return jitter === 'full' ? random() * ceiling : ceiling;
  };
}
