import { InvalidKeyError } from '../errors.ts';
import { maxKeyLength } from '../key.ts';

/** Name of the request header, from the IETF draft draft-ietf-httpapi-idempotency-key-header. */
export const keyHeader = 'idempotency-key';

/** A Structured Field string (RFC 9651 §3.3.3): printable ASCII in quotes, `"` and `\` escaped. */
const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/;

/** Parameters (RFC 9651 §3.1.2) may follow an item; none is defined for this header and unknown ones are ignored. */
const parameters =
  /^(?: *;[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|[A-Za-z0-9!#$%&'*+.^_`|~:/?=@-]+))?)*$/;

/** What clients send in practice without quotes: UUIDs, ULIDs, and other tokens. No separators, so that two joined headers are refused. */
const bare = /^[A-Za-z0-9!#$%&'*+.^_`|~:/=@-]+$/;

/**
 * Reads the header's value as a key.
 *
 * @throws InvalidKeyError saying what is wrong
 */
export function parseKey(header: string, strict: boolean): string {
  const value = header.replace(/^[ \t]+|[ \t]+$/g, '');
  const key = value.startsWith('"') ? unquote(value) : unquoted(value, strict);
  if (key.length >= 1 && key.length <= maxKeyLength) return key;
  throw new InvalidKeyError(
    `The Idempotency-Key must have 1 to ${maxKeyLength} characters, this one has ${key.length}.`,
  );
}

function unquote(value: string): string {
  const match = quoted.exec(value);
  if (!match || !parameters.test(value.slice(match[0].length))) {
    throw new InvalidKeyError('The Idempotency-Key is not a Structured Field string such as "8e03978e-40d5-43dd".');
  }
  return (match[1] as string).replace(/\\(["\\])/g, '$1');
}

function unquoted(value: string, strict: boolean): string {
  if (!strict && (value === '' || bare.test(value))) return value;
  throw new InvalidKeyError('Send the Idempotency-Key as one quoted string, such as "8e03978e-40d5-43dd".');
}
