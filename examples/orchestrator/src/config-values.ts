import ms, { type StringValue } from 'ms';
import { z } from 'zod';

/** A variable of the environment has a value that Millrace cannot use. The message is one line and names it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError' as const;
  readonly code = 'ERR_CONFIG' as const;
}

/** A URL of one of these schemes. */
export function url(...schemes: readonly string[]) {
  return z.string().refine((value) => schemes.some((scheme) => value.startsWith(scheme)) && URL.canParse(value), {
    error: `must be a URL that begins with ${schemes.join(' or ')}`,
  });
}

export function integer(minimum: number, maximum: number) {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.coerce.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
}

/** Milliseconds, written as `30s` or `2h`. */
export const duration = z
  .string()
  .transform((value) => ms(value as StringValue))
  .refine((value) => Number.isFinite(value) && value > 0, { error: "must be a duration such as '30s' or '2h'" });

/** An address of HTTP, without its trailing slash. */
export const httpUrl = url('http://', 'https://').transform((value) => value.replace(/\/$/, ''));
