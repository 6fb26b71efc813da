import { type Answer, problem } from './problem.ts';
import type { Spill, StoredBody } from './recorder.ts';

/** Marks a response that comes from the store. */
export const replayMarker = ['idempotent-replayed', 'true'] as const;

/** Marks a response that was made without protection, because the store was down. */
export const bypassMarker = ['idempotency-status', 'bypassed'] as const;

/** A response as the store keeps it. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: StoredBody;
}

/** Keeps the headers that may be repeated. */
export function keptHeaders(
  headers: Iterable<readonly [string, string]>,
  allowed: ReadonlySet<string>,
): readonly (readonly [string, string])[] {
  const kept: [string, string][] = [];
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (allowed.has(lower)) kept.push([lower, value]);
  }
  return kept;
}

/** Where the first response pointed to. */
export function locationOf(stored: unknown): string | undefined {
  if (typeof stored !== 'object' || stored === null || !('headers' in stored)) return undefined;
  return (stored as StoredResponse).headers.find(([name]) => name === 'location')?.[1];
}

/** The stored response as an answer; 409 when its body was not kept. */
export async function replayAnswer(stored: StoredResponse, spill: Spill | undefined): Promise<Answer> {
  const { status, headers, body } = stored;
  const marked = [...headers, replayMarker];
  switch (body.kind) {
    case 'text':
      return { status, headers: marked, body: bodyFor(status, Buffer.from(body.data)) };
    case 'base64':
      return { status, headers: marked, body: bodyFor(status, Buffer.from(body.data, 'base64')) };
    case 'spilled':
      if (spill) return { status, headers: marked, body: await spill.read(body.reference) };
      return notKept(stored);
    case 'none':
      return notKept(stored);
  }
}

/** Statuses that must not have a body (RFC 9110 §6.4.1). */
function bodyFor(status: number, bytes: Uint8Array): Uint8Array | undefined {
  return status === 204 || status === 205 || status === 304 || bytes.byteLength === 0 ? undefined : bytes;
}

function notKept(stored: StoredResponse): Answer {
  const location = locationOf(stored);
  const where = location === undefined ? '' : '; the result is at the Location';
  const detail = `The first request was executed (status ${stored.status}) but its response was not kept${where}.`;
  const answer = problem(409, { code: 'ERR_RESPONSE_NOT_STORED', detail, location });
  return { ...answer, headers: [...answer.headers, replayMarker] };
}
