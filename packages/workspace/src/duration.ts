import ms from 'ms';
import { InvalidOptionError } from './errors.ts';

/** Units of a {@link Duration}: milliseconds to weeks. Own, since the types of `ms` are not installed with it. */
type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd' | 'w';

/** A span of time: milliseconds, or a text such as `'30s'`, `'10m'`, `'24h'`. */
export type Duration = number | `${number}${DurationUnit}` | `${number} ${DurationUnit}`;

/**
 * Converts a {@link Duration} to milliseconds.
 *
 * @param value the duration
 * @param name name of the option, for the message
 * @throws {InvalidDurationError} when it is not a finite span of zero or more
 */
export function toMilliseconds(value: Duration, name: string): number {
  const result = typeof value === 'number' ? value : parse(value);
  if (!Number.isFinite(result) || result < 0) throw new InvalidDurationError(name, value);
  return result;
}

function parse(value: Exclude<Duration, number>): number {
  try {
    return ms(value);
  } catch {
    return Number.NaN;
  }
}

/** A duration option is neither a number of milliseconds nor a text such as `'30s'`. */
export class InvalidDurationError extends InvalidOptionError {
  override readonly code = 'ERR_INVALID_DURATION' as const;
  override readonly name = 'InvalidDurationError';
  /**
   * @param option name of the option
   * @param value what was given
   */
  constructor(option: string, value: unknown) {
    super(option, `must be milliseconds (zero or more) or a text such as '30s', got ${JSON.stringify(value)}`);
  }
}
