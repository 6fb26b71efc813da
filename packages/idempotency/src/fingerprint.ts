import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';

/**
 * SHA-256 of the canonical JSON (RFC 8785) of a value, as 43 characters of base64url. Equal values give equal fingerprints whatever the
 * order of their members and however their numbers were written.
 *
 * @example
 * ```ts
 * fingerprint({ b: 1, a: [1.0, 'x'] }) === fingerprint({ a: [1, 'x'], b: 1e0 }); // true
 * ```
 * @throws UnserializableError for a value without a JSON form
 */
export function fingerprint(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** SHA-256 of text (as UTF-8) or bytes, as base64url. */
export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url');
}
