import { StoredResultError, UnserializableError } from './errors.ts';
import { recordId } from './key.ts';
import type { RecordKey } from './record.ts';

/**
 * Encrypts what is stored of results and phases. `context` names the record and should be authenticated with the text (as AAD), so that
 * a result copied to another record cannot be read there.
 */
export interface Encryption {
  encrypt(plain: Uint8Array, context: string): Uint8Array | Promise<Uint8Array>;
  /** Must throw when the text was changed or belongs to another context. */
  decrypt(encrypted: Uint8Array, context: string): Uint8Array | Promise<Uint8Array>;
}

/** Turns values into the opaque text that stores keep, and back. */
export interface ResultCodec {
  encode(key: RecordKey, value: unknown): string | Promise<string>;
  decode(key: RecordKey, text: string): unknown;
}

/** First character of a stored text: how the rest is to be read. */
const format = { json: 'j', nothing: 'u', encrypted: 'e' } as const;

/** JSON in clear, or encrypted where a hook is given. */
export function resultCodec(encryption: Encryption | undefined): ResultCodec {
  if (!encryption) return { encode: (_key, value) => toText(value), decode: (_key, text) => fromText(text) };
  return {
    encode: async (key, value) => {
      const plain = new TextEncoder().encode(toText(value));
      const bytes = await encryption.encrypt(plain, recordId(key));
      return `${format.encrypted}${Buffer.from(bytes).toString('base64')}`;
    },
    decode: (key, text) => (text.startsWith(format.encrypted) ? decrypt(encryption, key, text) : fromText(text)),
  };
}

async function decrypt(encryption: Encryption, key: RecordKey, text: string): Promise<unknown> {
  try {
    const plain = await encryption.decrypt(Buffer.from(text.slice(1), 'base64'), recordId(key));
    return fromText(new TextDecoder().decode(plain));
  } catch (cause) {
    throw new StoredResultError('A stored result cannot be decrypted: check the encryption key.', { cause });
  }
}

function toText(value: unknown): string {
  if (value === undefined) return format.nothing;
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new UnserializableError('The result has no JSON form: return plain data.', { cause });
  }
  if (json === undefined) throw new UnserializableError(`A ${typeof value} has no JSON form: return plain data.`);
  return format.json + json;
}

function fromText(text: string): unknown {
  if (text === format.nothing) return undefined;
  if (!text.startsWith(format.json)) {
    throw new StoredResultError('A stored result is encrypted or of an unknown format: configure `encryption`.');
  }
  try {
    return JSON.parse(text.slice(1));
  } catch (cause) {
    throw new StoredResultError('A stored result is damaged.', { cause });
  }
}
