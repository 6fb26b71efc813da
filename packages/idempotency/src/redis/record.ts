import type { ExpiredLease, IdempotencyRecord, RecordKey, RecordState } from '../record.ts';
import type { BeginRequest } from '../store.ts';

const head = /^(\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\n/;

/** Reads a record as the scripts write it (see `scripts.ts`). */
export function parseRecord({ tenant, operation, key }: RecordKey, text: string | null): IdempotencyRecord | undefined {
  const fields = text === null ? null : head.exec(text);
  if (text === null || !fields) return undefined;
  const [all, state, fence, attempt, created, updated, lease, expires, policy, size, fingerprint, owner] = fields;
  const body = (all as string).length;
  const end = body + Number(size);
  return {
    tenant,
    operation,
    key,
    state: state as RecordState,
    fingerprint: fingerprint as string,
    fence: Number(fence),
    owner: decodeURIComponent(owner as string),
    attempt: Number(attempt),
    onExpiredLease: policy as ExpiredLease,
    phases: JSON.parse(`{${text.slice(body, end)}}`) as Record<string, string>,
    result: state === 'done' ? text.slice(end) : undefined,
    createdAt: Number(created),
    updatedAt: Number(updated),
    leaseUntil: Number(lease),
    expiresAt: Number(expires),
  };
}

/** A new record holds what was sent; only the times come from the server. */
export function freshRecord(
  key: RecordKey,
  request: BeginRequest,
  now: number,
  times: readonly string[],
): IdempotencyRecord {
  const [fence, leaseUntil, expiresAt] = times.map(Number) as [number, number, number];
  return {
    tenant: key.tenant,
    operation: key.operation,
    key: key.key,
    state: 'running',
    fingerprint: request.fingerprint,
    fence,
    owner: request.owner,
    attempt: 1,
    onExpiredLease: request.onExpiredLease,
    phases: {},
    result: undefined,
    createdAt: now,
    updatedAt: now,
    leaseUntil,
    expiresAt,
  };
}

/** A member of a JSON object in ASCII, so that its length is the same in Redis' bytes and in JavaScript's characters. */
export function phaseMember(name: string, value: string): string {
  return `${ascii(JSON.stringify(name))}:${ascii(JSON.stringify(value))}`;
}

function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
