/** Header access as in Fetch `Headers` or as a plain record (lower-case names). */
export type HeadersLike = { get(name: string): string | null } | Readonly<Record<string, string | undefined>>;

/**
 * How long a server asks to wait, in milliseconds: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date (RFC 9110 §10.2.3).
 *
 * @param now - wall clock in milliseconds, to read dates
 * @returns undefined when the headers do not say
 */
export function readRetryAfter(headers: HeadersLike, now: number): number | undefined {
  const milliseconds = Number(header(headers, 'retry-after-ms') ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds;
  const value = header(headers, 'retry-after');
  if (value === undefined || value.trim() === '') return undefined;
  const seconds = Number(value);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** How long an error asks to wait: its `retryAfter` in milliseconds, or the headers that SDK errors carry. */
export function retryAfterOf(error: unknown, now: number): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('retryAfter' in error && typeof error.retryAfter === 'number') return error.retryAfter;
  for (const source of [error, 'response' in error ? error.response : undefined]) {
    if (hasHeaders(source)) return readRetryAfter(source.headers, now);
  }
  return undefined;
}

/** One header, whatever the container. */
export function header(headers: HeadersLike, name: string): string | undefined {
  return isFetchHeaders(headers) ? (headers.get(name) ?? undefined) : headers[name];
}

function isFetchHeaders(headers: HeadersLike): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}

function hasHeaders(source: unknown): source is { headers: HeadersLike } {
  return (
    typeof source === 'object' &&
    source !== null &&
    'headers' in source &&
    typeof source.headers === 'object' &&
    source.headers !== null
  );
}
