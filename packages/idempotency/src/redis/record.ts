import type { ExpiredLease, IdempotencyRecord, RecordKey, RecordState } from '../record.ts';
import type { BeginRequest } from '../store.ts';

/** Letters of the states as the script writes them. */
export const stateLetter: Readonly<Record<RecordState, string>> = {
  running: 'r',
  retryable: 'y',
  done: 'd',
  parked: 'p',
};

const stateOf = Object.fromEntries(Object.entries(stateLetter).map(([state, letter]) => [letter, state])) as Readonly<
  Record<string, RecordState>
>;

const head = /^(\S) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S) (\S+) (\S+)\n/;

/** The part of a record's head that its executor brings: policy, fingerprint and owner; spaces separate the fields of a head. */
export function namedPart({ onExpiredLease, fingerprint, owner }: BeginRequest): string {
  return `${onExpiredLease === 'park' ? 'p' : 't'} ${fingerprint} ${encodeURIComponent(owner)}\n`;
}

/** Reads a record as the script writes it (see `script.ts`). */
export function parseRecord({ tenant, operation, key }: RecordKey, text: string | null): IdempotencyRecord | undefined {
  const fields = text === null ? null : head.exec(text);
  if (text === null || !fields) return undefined;
  const [all, letter, fence, lease, expires, updated, created, attempt, size, policy, fingerprint, owner] = fields;
  const body = (all as string).length;
  const end = body + Number(size);
  const state = stateOf[letter as string] as RecordState;
  return {
    tenant,
    operation,
    key,
    state,
    fingerprint: fingerprint as string,
    fence: Number(fence),
    owner: decodeURIComponent(owner as string),
    attempt: Number(attempt),
    onExpiredLease: (policy === 'p' ? 'park' : 'takeover') satisfies ExpiredLease,
    phases: JSON.parse(`{${text.slice(body, end)}}`) as Record<string, string>,
    result: state === 'done' ? text.slice(end) : undefined,
    createdAt: Number(created),
    updatedAt: Number(updated),
    leaseUntil: Number(lease),
    expiresAt: Number(expires),
  };
}

/** A new record holds what was sent; only the fence comes from the server, and it is the time of the server in microseconds. */
export function freshRecord(
  { tenant, operation, key }: RecordKey,
  request: BeginRequest,
  fence: number,
): IdempotencyRecord {
  const { fingerprint, owner, onExpiredLease, lease, ttl } = request;
  const now = Math.floor(fence / 1000);
  return {
    tenant,
    operation,
    key,
    state: 'running',
    fingerprint,
    fence,
    owner,
    attempt: 1,
    onExpiredLease,
    phases: {},
    result: undefined,
    createdAt: now,
    updatedAt: now,
    leaseUntil: now + lease,
    expiresAt: now + lease + ttl,
  };
}

/** A member of a JSON object in ASCII, so that its length is the same in Redis' bytes and in JavaScript's characters. */
export function phaseMember(name: string, value: string): string {
  return `${ascii(JSON.stringify(name))}:${ascii(JSON.stringify(value))}`;
}

function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
