import type { ExpiredLease, IdempotencyRecord, RecordState } from '../record.ts';

/** A row as drivers return it: bigints as text (node-postgres) or numbers, jsonb parsed or as text. */
export interface RecordRow {
  readonly tenant: string;
  readonly operation: string;
  readonly key: string;
  readonly state: RecordState;
  readonly fingerprint: string;
  readonly fence: string | number;
  readonly owner: string;
  readonly attempt: number;
  readonly taken_over: boolean;
  readonly on_expired: ExpiredLease;
  readonly phases: Readonly<Record<string, string>> | string;
  readonly result: string | null;
  readonly created_at: string | number;
  readonly updated_at: string | number;
  readonly lease_until: string | number;
  readonly expires_at: string | number;
}

/** A row of the `begin` statement. */
export interface BeginRow extends RecordRow {
  readonly written: boolean;
  readonly now: string | number;
}

/** Reads a row as a record. */
export function toRecord(row: RecordRow): IdempotencyRecord {
  return {
    tenant: row.tenant,
    operation: row.operation,
    key: row.key,
    state: row.state,
    fingerprint: row.fingerprint,
    fence: Number(row.fence),
    owner: row.owner,
    attempt: Number(row.attempt),
    onExpiredLease: row.on_expired,
    phases: typeof row.phases === 'string' ? (JSON.parse(row.phases) as Record<string, string>) : row.phases,
    result: row.result ?? undefined,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    leaseUntil: Number(row.lease_until),
    expiresAt: Number(row.expires_at),
  };
}
