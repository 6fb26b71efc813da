import { type Awaitable, chain } from './awaitable.ts';
import { CodecError } from './errors.ts';

/**
 * Turns payloads, results and progress into the text that is stored, and back: compression, encryption, another format.
 * For key rotation, let the encoded text name its key, encode with the newest and decode with any.
 *
 * @example
 * // AES-256-GCM with rotation: `v2.` + base64 of iv + tag + ciphertext
 * const codec = { encode: (text) => `v2.${seal(keys.v2, text)}`, decode: (data) => open(keys[data.slice(0, 2)], data.slice(3)) };
 */
export interface Codec {
  /** `text` is JSON. */
  encode(text: string): string | Promise<string>;
  /** The inverse of {@link Codec.encode}; throws for what it cannot read. */
  decode(data: string): string | Promise<string>;
}

/** JSON as it is. */
export const plain: Codec = { encode: (text) => text, decode: (data) => data };

/** Encodes a value; `undefined` stays undefined. */
export function encodeValue(codec: Codec, value: unknown): Awaitable<string | undefined> {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined || codec === plain ? text : codec.encode(text);
}

/** @throws CodecError when the data cannot be read */
export function decodeValue(codec: Codec, data: string): Awaitable<unknown> {
  try {
    if (codec === plain) return JSON.parse(data) as unknown;
    const text = chain(codec.decode(data), (decoded) => JSON.parse(decoded) as unknown);
    return text instanceof Promise ? text.catch(unreadable) : text;
  } catch (cause) {
    return unreadable(cause);
  }
}

function unreadable(cause: unknown): never {
  throw new CodecError('Stored data cannot be decoded. Is the codec (with the key it was written with) configured?', {
    cause,
  });
}
