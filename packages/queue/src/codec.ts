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
export async function encodeValue(codec: Codec, value: unknown): Promise<string | undefined> {
  const text = JSON.stringify(value);
  if (text === undefined) return undefined;
  return codec === plain ? text : codec.encode(text);
}

/** @throws CodecError when the data cannot be read */
export async function decodeValue(codec: Codec, data: string): Promise<unknown> {
  try {
    return JSON.parse(codec === plain ? data : await codec.decode(data));
  } catch (cause) {
    throw new CodecError('Stored data cannot be decoded. Is the codec (with the key it was written with) configured?', {
      cause,
    });
  }
}
