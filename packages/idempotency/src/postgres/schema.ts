import { InvalidOptionError } from '../errors.ts';

const tableGrammar = /^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$/;

/** Name of the table where none is given. */
export const defaultTable = 'millrace_idempotency';

/** @throws InvalidOptionError for a name that would need quoting */
export function checkTable(table: string): string {
  if (tableGrammar.test(table)) return table;
  throw new InvalidOptionError('`table` must be a lower-case SQL name such as my_keys or my_schema.my_keys.');
}

/**
 * The statement that makes the table and its indexes where they are missing, for migrations of your own; `store.migrate()` runs it.
 * It is one statement, safe to run from several processes at once and more than once. Times are milliseconds since 1970.
 *
 * @throws InvalidOptionError for a table name that would need quoting
 */
export function postgresSchema(table: string = defaultTable): string {
  const name = checkTable(table).replace('.', '_');
  return `DO $migrate$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('millrace:${table}'));
  CREATE TABLE IF NOT EXISTS ${table} (
    tenant text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'retryable', 'done', 'parked')),
    fingerprint text NOT NULL,
    fence bigint NOT NULL,
    owner text NOT NULL,
    attempt integer NOT NULL,
    taken_over boolean NOT NULL,
    on_expired text NOT NULL CHECK (on_expired IN ('takeover', 'park')),
    phases jsonb NOT NULL,
    result text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (tenant, operation, key)
  ) WITH (fillfactor = 80);
  CREATE INDEX IF NOT EXISTS ${name}_expires ON ${table} (expires_at) WHERE state <> 'parked';
  CREATE INDEX IF NOT EXISTS ${name}_parked ON ${table} (updated_at) WHERE state = 'parked';
  CREATE INDEX IF NOT EXISTS ${name}_dead ON ${table} (lease_until) WHERE state = 'running' AND on_expired = 'park';
END $migrate$`;
}
