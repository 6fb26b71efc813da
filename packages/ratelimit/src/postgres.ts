import { postgresCache } from './postgres/cache.ts';
import type { PostgresPool } from './postgres/client.ts';
import { postgresCircuits, postgresLedger, postgresPeers, postgresPermits, postgresRates } from './postgres/parts.ts';
import { StateTable } from './postgres/state.ts';
import type { Store } from './store.ts';

export type { PostgresClient, PostgresPool } from './postgres/client.ts';

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /** The pool you already have (`pg`). It stays yours; the store never ends it. */
  readonly pool: PostgresPool;
}

/** A store in PostgreSQL. */
export interface PostgresStore extends Store {
  /** Creates the store's two tables where they are missing; safe to run at every start, by many processes. */
  migrate(): Promise<void>;
}

/** Serialises concurrent migrations: CREATE TABLE IF NOT EXISTS alone can collide with itself. */
const migration = `DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(7267414631);
  CREATE TABLE IF NOT EXISTS millrace_state (
    name text COLLATE "C" PRIMARY KEY, state jsonb, expires timestamptz NOT NULL DEFAULT now() + interval '1 day');
  CREATE INDEX IF NOT EXISTS millrace_state_expires ON millrace_state (expires);
  CREATE TABLE IF NOT EXISTS millrace_cache (name text COLLATE "C" PRIMARY KEY, value bytea NOT NULL, expires timestamptz NOT NULL);
  CREATE INDEX IF NOT EXISTS millrace_cache_expires ON millrace_cache (expires);
END $$`;

/**
 * State shared through PostgreSQL 14 or newer, for services that have no Redis: hundreds of decisions per second, each a short transaction on
 * one connection of the pool.
 *
 * @example
 * ```ts
 * const store = postgresStore({ pool: new Pool({ connectionString }) });
 * await store.migrate();
 * const spend = budget({ store, scopes, estimate });
 * ```
 */
export function postgresStore({ pool }: PostgresStoreOptions): PostgresStore {
  const table = new StateTable(pool);
  return {
    name: 'postgres',
    capabilities: { shared: true },
    rates: postgresRates(table),
    permits: postgresPermits(table),
    ledger: postgresLedger(table, pool),
    circuits: postgresCircuits(table),
    cache: postgresCache(pool),
    peers: postgresPeers(table),
    migrate: async () => void (await pool.query(migration)),
  };
}
