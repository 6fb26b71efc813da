import { type Duration, toMilliseconds } from './duration.ts';

/** Milliseconds to wait after the failure of attempt `attempt` (1-based); `random` is from 0 up to, not including, 1. */
export type Backoff = (attempt: number, random: () => number) => number;

/** Options of {@link exponential}. */
export interface ExponentialOptions {
  /** Upper bound of the first wait. @default '1s' */
  readonly base?: Duration;
  /** Growth per attempt. @default 2 */
  readonly factor?: number;
  /** Upper bound of every wait. @default '10m' */
  readonly max?: Duration;
  /** `full`: a random wait between 0 and the bound, which spreads a crowd best. @default 'full' */
  readonly jitter?: 'full' | 'none';
}

/**
 * Waits that double: 1 s, 2 s, 4 s … up to 10 minutes, each a random part of it (full jitter,
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * @throws InvalidDurationError
 */
export function exponential(options: ExponentialOptions = {}): Backoff {
  const base = toMilliseconds(options.base ?? '1s', 'base');
  const max = toMilliseconds(options.max ?? '10m', 'max');
  const factor = options.factor ?? 2;
  return (attempt, random) => {
    const bound = Math.min(max, base * factor ** Math.min(attempt - 1, 100));
    return Math.round(options.jitter === 'none' ? bound : bound * random());
  };
}

/**
 * The same wait after each failure.
 *
 * @throws InvalidDurationError
 */
export function fixed(wait: Duration): Backoff {
  const milliseconds = toMilliseconds(wait, 'wait');
  return () => milliseconds;
}
