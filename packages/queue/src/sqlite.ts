export { type SqliteOptions, sqliteAdapter } from './adapters/sqlite/adapter.ts';
export type { SqliteDatabase, SqliteStatement } from './adapters/sqlite/driver.ts';
