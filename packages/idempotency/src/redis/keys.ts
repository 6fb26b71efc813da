import type { RecordKey } from '../record.ts';

/** The Redis key of a record. Parts are percent-encoded, so that `:` separates them and no part can look like a pattern. */
export function redisKey(prefix: string, { tenant, operation, key }: RecordKey): string {
  return `${prefix}:${encode(tenant)}:${encode(operation)}:${encode(key)}`;
}

/** The record's names from its Redis key. */
export function parseRedisKey(prefix: string, text: string): RecordKey {
  const [tenant = '', operation = '', key = ''] = text
    .slice(prefix.length + 1)
    .split(':')
    .map(decodeURIComponent);
  return { tenant, operation, key };
}

/** Matches the keys of one tenant, or of all. */
export function redisPattern(prefix: string, tenant: string | undefined): string {
  const start = prefix.replace(/[\\*?[\]]/g, '\\$&');
  return tenant === undefined ? `${start}:*` : `${start}:${encode(tenant)}:*`;
}

const plain = /^[\w.~-]*$/;

/** `*` is the one character that encodeURIComponent leaves and a pattern would read. */
function encode(part: string): string {
  return plain.test(part) ? part : encodeURIComponent(part).replaceAll('*', '%2A');
}
