export { postgresAdapter } from './adapters/postgres/adapter.ts';
export type { PooledSqlClient, SqlClient, SqlPool, SqlResult } from './adapters/postgres/client.ts';
export { type MigrateOptions, migrate, migrationSql } from './adapters/postgres/migrate.ts';
export type { PostgresAdapterOptions } from './adapters/postgres/options.ts';
