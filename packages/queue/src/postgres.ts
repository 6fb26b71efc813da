export { postgresAdapter } from './adapters/postgres/adapter.ts';
export type { PooledSqlClient, SqlClient, SqlPool, SqlResult } from './adapters/postgres/client.ts';
export { type CompleteOptions, completeInTransaction } from './adapters/postgres/complete.ts';
export { type MigrateOptions, migrate, migrationSql } from './adapters/postgres/migrate.ts';
export type { PostgresAdapterOptions } from './adapters/postgres/options.ts';
export { type OutboxOptions, outboxAdapter } from './adapters/postgres/outbox.ts';
export { type Relay, type RelayOptions, relayOutbox } from './adapters/postgres/relay.ts';
