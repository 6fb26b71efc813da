import { InvalidDurationError } from './errors.ts';

/** Milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'5m'`, `'24h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of a duration.
 * @param name - the option it was given for, named in the error
 * @throws InvalidDurationError when it is negative, not finite or not understood
 */
export function toMilliseconds(value: Duration, name: string): number {
  const ms = typeof value === 'number' ? value : parse(value);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new InvalidDurationError(
    `\`${name}\` must be milliseconds (0 or more) or a string such as '30s', '5m' or '24h', not ${JSON.stringify(value)}.`,
  );
}

function parse(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN);
}
