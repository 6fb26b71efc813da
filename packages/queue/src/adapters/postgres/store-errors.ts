import { AdapterUnavailableError, InvalidOptionError, StoreUnavailableError, UnsupportedError } from '../../errors.ts';

/**
 * Classes of SQLSTATE that pass by themselves: connection (08), transaction rolled back (40), resources (53: disk full, too many connections),
 * lock not available (55P03), operator intervention (57: shutdown, cancelled), system (58), read-only (25006: a standby during a failover).
 */
const passing = /^(08...|40...|53...|55P03|57...|58...|25006)$/;

/** What a server of another kind, or a client without a connection, says in words. */
const broken =
  /(connection|socket|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|timeout|terminated|not queryable|Cannot use a pool)/i;

/** SQLSTATE of text that PostgreSQL cannot store. */
const notText = new Set(['22021', '22P05']);

interface SqlError extends Error {
  readonly code?: string;
}

/** @returns the error to throw: StoreUnavailableError where trying again may help */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, message } = error as SqlError;
  if (message.includes('MILLRACE_ISOLATION')) return wrongIsolation(error);
  if (code === undefined ? broken.test(message) : passing.test(code) || /^E[A-Z]+$/.test(code)) {
    return new StoreUnavailableError(`PostgreSQL did not carry out the call: ${message}`, { cause: error });
  }
  if (code === '42501') {
    return new AdapterUnavailableError(
      `PostgreSQL refuses this user: ${message}. The rights that the adapter needs are listed in docs/adapters/postgres.md.`,
      { cause: error },
    );
  }
  if (code !== undefined && notText.has(code)) {
    return new InvalidOptionError(
      `PostgreSQL cannot store this text: ${message}. Names, tenants, keys and encoded payloads must be without NUL characters and lone surrogates.`,
    );
  }
  return error;
}

function wrongIsolation(cause: Error): UnsupportedError {
  return Object.assign(
    new UnsupportedError(
      'The queue works on connections with the isolation "read committed": give it a pool whose default_transaction_isolation is that.',
    ),
    { cause },
  );
}

/** The queue, or its functions, are not there (any more): DROP SCHEMA, or a restore without them. */
export function isUnopened(error: unknown): boolean {
  const { code, message } = error as SqlError;
  return (
    error instanceof Error &&
    (message.includes('MILLRACE_UNOPENED') || code === '3F000' || code === '42883' || code === '42P01')
  );
}
