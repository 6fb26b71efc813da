/** A prepared statement of `better-sqlite3`, `libsql` or `node:sqlite`. */
export interface SqliteStatement {
  get(...values: (string | number | null)[]): unknown;
  all(...values: (string | number | null)[]): unknown[];
  run(...values: (string | number | null)[]): unknown;
}

/** A synchronous SQLite connection: `better-sqlite3`, `libsql` or `node:sqlite` (Node 22.13 or newer). */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
}
