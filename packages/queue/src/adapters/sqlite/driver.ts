import { createRequire } from 'node:module';
import { AdapterUnavailableError } from '../../errors.ts';

/** What SQLite can bind and return here. */
export type SqlValue = string | number | null;

/** A prepared statement: what `node:sqlite`, `better-sqlite3` and `libsql` have in common (their types differ in what may be bound). */
export interface SqliteStatement {
  run(...values: never[]): unknown;
  get(...values: never[]): unknown;
  all(...values: never[]): unknown[];
}

/** The same statement, as it is called here. */
export interface PreparedStatement {
  run(...values: SqlValue[]): unknown;
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
}

/** A database connection: what `node:sqlite` (DatabaseSync), `better-sqlite3` and `libsql` have in common. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
}

/** A module that opens databases, and the name of its class. */
export interface Driver {
  readonly module: string;
  readonly open: (path: string) => SqliteDatabase;
}

type DatabaseClass = new (path: string) => SqliteDatabase;

/** The drivers that are tried, in this order: what somebody installed on purpose comes before what Node brings. */
export const driverModules = ['better-sqlite3', 'libsql', 'node:sqlite'] as const;

const require = createRequire(import.meta.url);

/**
 * Finds an installed driver.
 *
 * @throws AdapterUnavailableError that says what to install
 */
export function findDriver(): Driver {
  const causes: unknown[] = [];
  for (const module of driverModules) {
    try {
      const Database = databaseClassOf(require(module) as unknown);
      return { module, open: (path) => new Database(path) };
    } catch (cause) {
      causes.push(cause);
    }
  }
  throw new AdapterUnavailableError(
    'No SQLite driver was found. Run `npm install libsql` (or better-sqlite3), or use Node 22.13 or later, which brings node:sqlite.',
    { cause: causes },
  );
}

/** The class that opens databases, in any of the three modules. @throws TypeError */
function databaseClassOf(module: unknown): DatabaseClass {
  const candidates = [module, Reflect.get(module as object, 'DatabaseSync'), Reflect.get(module as object, 'default')];
  const found = candidates.find((candidate) => typeof candidate === 'function');
  if (found === undefined) throw new TypeError('The module exports no database class.');
  return found as DatabaseClass;
}

/** Whether the error says that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    /\bbusy\b|database is locked|SQLITE_BUSY/i.test(`${Reflect.get(error, 'code')} ${error.message}`)
  );
}
