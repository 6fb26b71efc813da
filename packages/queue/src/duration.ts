import ms from 'ms';
import { InvalidDurationError } from './errors.ts';

/** Units of a {@link Duration}: milliseconds to weeks. Own, since the types of `ms` are not installed with it. */
type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd' | 'w';

/** A length of time: milliseconds as a number, or text such as `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${DurationUnit}` | `${number} ${DurationUnit}`;

/**
 * Reads a {@link Duration} as milliseconds.
 *
 * @param name - the option that the value came from, for the message
 * @throws InvalidDurationError when the value is not a finite, non-negative length of time
 */
export function toMilliseconds(value: Duration, name: string): number {
  const milliseconds = typeof value === 'number' ? value : parse(value);
  if (!Number.isFinite(milliseconds) || milliseconds < 0) throw new InvalidDurationError(name, value);
  return milliseconds;
}

function parse(value: Exclude<Duration, number>): number {
  try {
    return ms(value);
  } catch {
    return Number.NaN;
  }
}
