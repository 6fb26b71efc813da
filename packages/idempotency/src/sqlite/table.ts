import type { ExpiredLease, IdempotencyRecord, RecordKey, RecordState } from '../record.ts';
import type { ListQuery } from '../store.ts';
import type { SqliteDatabase } from './client.ts';

interface Row {
  readonly tenant: string;
  readonly operation: string;
  readonly key: string;
  readonly state: RecordState;
  readonly fingerprint: string;
  readonly fence: number;
  readonly owner: string;
  readonly attempt: number;
  readonly on_expired: ExpiredLease;
  readonly phases: string;
  readonly result: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly lease_until: number;
  readonly expires_at: number;
}

/** The table as a map from keys to records; what a record becomes is decided by the machine. */
export interface Table {
  get(key: RecordKey): IdempotencyRecord | undefined;
  put(record: IdempotencyRecord): void;
  delete(key: RecordKey): void;
  /** Includes expired records. */
  list(query: ListQuery): readonly IdempotencyRecord[];
  /** Records that a sweep has to look at: past their time, or running past their lease under `park`. */
  due(now: number, limit: number): readonly IdempotencyRecord[];
  forget(tenant: string): number;
}

const kept = `(state = 'parked' OR (state = 'running' AND on_expired = 'park'))`;

/** Times are milliseconds since 1970. */
const schema = `CREATE TABLE IF NOT EXISTS millrace_idempotency (
  tenant TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, fingerprint TEXT NOT NULL,
  fence INTEGER NOT NULL, owner TEXT NOT NULL, attempt INTEGER NOT NULL, on_expired TEXT NOT NULL, phases TEXT NOT NULL,
  result TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, lease_until INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, PRIMARY KEY (tenant, operation, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_idempotency_expires ON millrace_idempotency (expires_at);
CREATE INDEX IF NOT EXISTS millrace_idempotency_dead ON millrace_idempotency (lease_until)
  WHERE state = 'running' AND on_expired = 'park';`;

/** Makes the table where it is missing and prepares its statements. */
export function openTable(database: SqliteDatabase): Table {
  database.exec(schema);
  const byKey = 'tenant = ? AND operation = ? AND key = ?';
  const get = database.prepare(`SELECT * FROM millrace_idempotency WHERE ${byKey}`);
  const put = database.prepare(
    'INSERT OR REPLACE INTO millrace_idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const remove = database.prepare(`DELETE FROM millrace_idempotency WHERE ${byKey}`);
  const list = database.prepare(
    'SELECT * FROM millrace_idempotency WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY updated_at LIMIT ?3',
  );
  const expired = database.prepare(`SELECT * FROM millrace_idempotency WHERE expires_at <= ? AND NOT ${kept} LIMIT ?`);
  const dead = database.prepare(
    "SELECT * FROM millrace_idempotency WHERE state = 'running' AND on_expired = 'park' AND lease_until <= ? LIMIT ?",
  );
  const forget = database.prepare('DELETE FROM millrace_idempotency WHERE tenant = ? RETURNING 1');
  return {
    get: ({ tenant, operation, key }) => toRecord(get.get(tenant, operation, key) as Row | undefined),
    put: (record) => void put.run(...toValues(record)),
    delete: ({ tenant, operation, key }) => void remove.run(tenant, operation, key),
    list: ({ tenant, state, limit }) => toRecords(list.all(tenant ?? null, state ?? null, limit)),
    due: (now, limit) => [...toRecords(expired.all(now, limit)), ...toRecords(dead.all(now, limit))],
    forget: (tenant) => forget.all(tenant).length,
  };
}

function toRecords(rows: readonly unknown[]): readonly IdempotencyRecord[] {
  return rows.flatMap((row) => toRecord(row as Row) ?? []);
}

function toRecord(row: Row | undefined): IdempotencyRecord | undefined {
  return (
    row && {
      tenant: row.tenant,
      operation: row.operation,
      key: row.key,
      state: row.state,
      fingerprint: row.fingerprint,
      fence: row.fence,
      owner: row.owner,
      attempt: row.attempt,
      onExpiredLease: row.on_expired,
      phases: JSON.parse(row.phases) as Record<string, string>,
      result: row.result ?? undefined,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      leaseUntil: row.lease_until,
      expiresAt: row.expires_at,
    }
  );
}

function toValues(record: IdempotencyRecord): (string | number | null)[] {
  return [
    record.tenant,
    record.operation,
    record.key,
    record.state,
    record.fingerprint,
    record.fence,
    record.owner,
    record.attempt,
    record.onExpiredLease,
    JSON.stringify(record.phases),
    record.result ?? null,
    record.createdAt,
    record.updatedAt,
    record.leaseUntil,
    record.expiresAt,
  ];
}
