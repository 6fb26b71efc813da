import { RateLimitError } from './errors.ts';

/** Turns an answer into bytes and back. */
export interface Codec {
  encode(value: unknown): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): unknown;
}

/** Answers as JSON. */
export const jsonCodec: Codec = {
  encode: (value) => new TextEncoder().encode(JSON.stringify(value) ?? 'null'),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as unknown,
};

/** A kept answer, or a kept failure. */
export interface Entry {
  /** Milliseconds since 1970. */
  readonly storedAt: number;
  readonly value: Uint8Array;
  readonly failure?: { readonly status: number; readonly message: string };
}

/** A failure given again from the cache: repeating the call would fail the same way. */
export class CachedFailure extends RateLimitError {
  readonly code = 'ERR_CACHED_FAILURE' as const;
  override readonly name = 'CachedFailure' as const;
  /** HTTP status of the first failure. */
  readonly status: number;

  constructor({ status, message }: { readonly status: number; readonly message: string }) {
    super(`${message} (remembered from an equal call)`);
    this.status = status;
  }
}

/** Layout: length of the head as 4 bytes, the head as JSON, the value. */
export function encodeEntry({ storedAt, value, failure }: Entry): Uint8Array {
  const head = Buffer.from(JSON.stringify({ storedAt, failure }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.byteLength);
  return Buffer.concat([length, head, value]);
}

/** Reads what {@link encodeEntry} wrote. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headEnd = 4 + buffer.readUInt32BE(0);
  const head = JSON.parse(buffer.toString('utf8', 4, headEnd)) as Pick<Entry, 'storedAt' | 'failure'>;
  return { ...head, value: buffer.subarray(headEnd) };
}
