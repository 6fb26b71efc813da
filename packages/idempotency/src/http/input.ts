import { UnserializableError } from '../errors.ts';
import { fingerprint, sha256 } from '../fingerprint.ts';

/** A request's body: bytes as they came, or what a framework has parsed already. */
export type RequestBody = { readonly bytes: Uint8Array } | { readonly parsed: unknown };

/** The parts of a request that make it the same request. */
export interface RequestInput {
  readonly contentType: string | undefined;
  /** Query string with its `?`, or empty. */
  readonly search: string;
  /** Values of the chosen headers. */
  readonly headers: readonly (string | undefined)[];
  readonly body: RequestBody;
}

const jsonType = /^application\/(?:[a-z0-9.+-]*\+)?json(?:\s*;|$)/i;

/** Fingerprint of a request: JSON bodies by their meaning (RFC 8785), all others byte by byte. */
export function inputFingerprint({ contentType, search, headers, body }: RequestInput): string {
  return fingerprint([search, headers.map((value) => value ?? null), bodyDigest(contentType, body)]);
}

function bodyDigest(contentType: string | undefined, body: RequestBody): string {
  if ('parsed' in body) return parsedDigest(body.parsed);
  const { bytes } = body;
  if (bytes.byteLength === 0) return 'empty';
  const asJson = jsonType.test(contentType ?? '') ? jsonDigest(bytes) : undefined;
  return asJson ?? `bytes:${sha256(bytes)}`;
}

/** What is no JSON, or JSON without a canonical form, is compared byte by byte: refusing it is the handler's business. */
function jsonDigest(bytes: Uint8Array): string | undefined {
  try {
    return `json:${fingerprint(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))}`;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof UnserializableError)
      return undefined;
    throw error;
  }
}

function parsedDigest(parsed: unknown): string {
  if (parsed === undefined || parsed === null) return 'empty';
  if (parsed instanceof Uint8Array) return `bytes:${sha256(parsed)}`;
  if (typeof parsed === 'string' && !parsed.isWellFormed()) return `bytes:${sha256(Buffer.from(parsed, 'utf16le'))}`;
  return `json:${fingerprint(parsed)}`;
}
