import type { errorClasses } from './catalogue/values.ts';

/** The bounded taxonomy of failures: what to look at, not what exactly was thrown. */
export type ErrorClass = (typeof errorClasses)[number];

/** The first pattern that fits counts. */
const patterns: readonly (readonly [ErrorClass, RegExp])[] = [
  ['rate_limited', /RATE_?LIMIT|THROTTL|TOO_?MANY|BULKHEAD|^429$/i],
  ['budget', /BUDGET/i],
  ['circuit_open', /CIRCUIT/i],
  ['timeout', /TIME_?D?_?OUT|DEADLINE|STALLED|TOOK_TOO_LONG/i],
  ['lease', /LEASE|FENCE/i],
  ['cancelled', /CANCEL|ABORT|SHUTDOWN/i],
  ['auth', /AUTH|FORBIDDEN|DENIED|EACCES|EPERM|REFUSED_BY_POLICY|^40[13]$/i],
  ['resource', /DISK|ENOSPC|EMFILE|ENFILE|ENOMEM|MEMORY|TOO_LARGE|QUEUE_FULL|QUOTA/i],
  ['network', /NETWORK|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|EHOST|SOCKET|UND_ERR|FETCH/i],
  ['store', /STORE|SQL|REDIS|^(?:08|53|57)[0-9A-Z]{3}$/i],
  ['git', /WORKSPACE|GIT|REPO|REF_/i],
  ['invalid', /INVALID|VALIDATION|MALFORMED|TypeError|SyntaxError|RangeError|ZodError/i],
];

/** Codes are few; a bound keeps a caller that makes up new ones from filling the memory. */
const maxKnown = 1_000;
const known = new Map<string, ErrorClass>();

/** Class of an error by its `code` or, where it has none, its `name`. */
export function errorClass(code: string | undefined): ErrorClass {
  if (code === undefined) return 'none';
  const found = known.get(code);
  if (found !== undefined) return found;
  const classified = patterns.find(([, pattern]) => pattern.test(code))?.[0] ?? 'other';
  if (known.size < maxKnown) known.set(code, classified);
  return classified;
}

/** `code`, else `name`, of whatever was thrown. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown';
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  return typeof name === 'string' ? name : 'Error';
}
