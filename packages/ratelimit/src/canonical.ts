import { createHash } from 'node:crypto';

/**
 * A text that is the same for prompts that mean the same: keys sorted, strings trimmed and with unified line ends,
 * members that are undefined left out.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(normalise(value));
}

/** SHA-256 of a canonical text, hex. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function normalise(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\r\n', '\n').trim();
  if (Array.isArray(value)) return value.map(normalise);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, normalise(member)]));
}

/** Members of a request that do not change its answer. */
const irrelevant = new Set([
  'user',
  'metadata',
  'stream',
  'stream_options',
  'store',
  'service_tier',
  'safety_identifier',
]);

/**
 * The cache key of a language model's request: its canonical body without what does not change the answer
 * (`user`, `metadata`, `stream` …).
 */
export function promptKey(request: Readonly<Record<string, unknown>>): string {
  return digest(canonical(Object.fromEntries(Object.entries(request).filter(([name]) => !irrelevant.has(name)))));
}
