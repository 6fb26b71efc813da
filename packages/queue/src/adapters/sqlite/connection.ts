import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdapterUnavailableError, StoreUnavailableError } from '../../errors.ts';
import { findDriver, isBusy, type PreparedStatement, type SqliteDatabase, type SqlValue } from './driver.ts';
import { fromLayout2, layoutVersion, schema } from './schema.ts';

/** One connection, with its statements prepared once. */
export interface Connection {
  readonly database: SqliteDatabase;
  /** Path of the file; undefined when nobody else can open it. */
  readonly path: string | undefined;
  /** Runs a statement. */
  run(sql: string, ...values: SqlValue[]): void;
  /** The same; answers how many rows it has changed. */
  change(sql: string, ...values: SqlValue[]): number;
  /** First row, or undefined. */
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SqlValue[]): Row[];
  /** Runs synchronous work in one write transaction; waits, without blocking, while another process writes. */
  transaction<T>(work: () => T): Promise<T>;
  /** The same for work that only reads: one snapshot, no lock. */
  snapshot<T>(work: () => T): T;
  close(): void;
}

/** How a file is opened. */
export interface ConnectionOptions {
  readonly path?: string;
  readonly database?: SqliteDatabase;
  readonly durability: 'full' | 'normal';
}

/**
 * Pages of the log after which a commit moves them into the file. SQLite's own 1,000 move pages that the next calls change again: a tenth of the
 * time of a queue in full use. The log grows to 16 MB.
 */
const checkpointAfter = 4_000;

/** How long a call waits for other writers. */
const lockTimeout = 10_000;

/** Opens the file (or takes the database given) and brings its layout up to date. @throws AdapterUnavailableError */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const database = options.database ?? openFile(options.path as string);
  try {
    // Short, because it blocks the event loop; the longer wait is `transaction`'s, which does not.
    database.exec('PRAGMA busy_timeout = 5');
    await patiently(() => database.exec('PRAGMA journal_mode = WAL'));
    database.exec(`PRAGMA synchronous = ${options.durability === 'full' ? 'FULL' : 'NORMAL'}`);
    database.exec(`PRAGMA wal_autocheckpoint = ${checkpointAfter}`);
    const connection = wrap(database, options);
    await connection.transaction(() => migrate(connection));
    return connection;
  } catch (error) {
    if (options.database === undefined) database.close();
    throw error;
  }
}

function openFile(path: string): SqliteDatabase {
  const driver = findDriver();
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    return driver.open(path);
  } catch (cause) {
    throw new AdapterUnavailableError(`The SQLite file ${path} cannot be opened. Is its folder writable?`, { cause });
  }
}

function migrate(connection: Connection): void {
  const version = connection.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  if (version > layoutVersion) {
    throw new AdapterUnavailableError(
      `The SQLite file was written by a newer version of @millrace/queue (layout ${version}, known ${layoutVersion}). Update the package.`,
    );
  }
  if (version === layoutVersion) return;
  if (version !== 0 && version !== 2) {
    throw new AdapterUnavailableError(
      `The SQLite file was written before the first release of @millrace/queue (layout ${version}), which cannot be taken over. Use another file.`,
    );
  }
  if (version === 2) connection.database.exec(fromLayout2);
  connection.database.exec(schema);
  connection.database.exec(`PRAGMA user_version = ${layoutVersion}`);
}

/** Repeats what meets another writer's lock, with growing random pauses. @throws StoreUnavailableError */
async function patiently<T>(work: () => T): Promise<T> {
  const giveUpAt = performance.now() + lockTimeout;
  for (let tries = 0; ; tries += 1) {
    try {
      return work();
    } catch (cause) {
      if (!isBusy(cause)) throw cause;
      if (performance.now() > giveUpAt) {
        throw new StoreUnavailableError(`Another process has held the SQLite file for ${lockTimeout} ms.`, { cause });
      }
      // The file is real, so is the time that others hold it: no clock of a simulation counts here.
      await sleep(1 + Math.random() * Math.min(20, 2 ** tries));
    }
  }
}

function wrap(database: SqliteDatabase, options: ConnectionOptions): Connection {
  const statements = new Map<string, PreparedStatement>();
  const prepared = (sql: string): PreparedStatement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = database.prepare(sql) as PreparedStatement;
    statements.set(sql, made);
    return made;
  };
  const begin = (kind: 'IMMEDIATE' | 'DEFERRED'): void => void database.exec(`BEGIN ${kind}`);

  function finish<T>(work: () => T): T {
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }

  return {
    database,
    path: options.path === ':memory:' ? undefined : options.path,
    run: (sql, ...values) => void prepared(sql).run(...values),
    change: (sql, ...values) => Number((prepared(sql).run(...values) as { changes: number | bigint }).changes),
    get: <Row>(sql: string, ...values: SqlValue[]) => (prepared(sql).get(...values) ?? undefined) as Row | undefined,
    all: <Row>(sql: string, ...values: SqlValue[]) => prepared(sql).all(...values) as Row[],
    // No turn of the event loop between BEGIN and COMMIT: calls of this process share the connection.
    transaction: (work) =>
      patiently(() => {
        begin('IMMEDIATE');
        return finish(work);
      }),
    snapshot: (work) => {
      begin('DEFERRED');
      return finish(work);
    },
    close: () => {
      statements.clear();
      if (options.database === undefined) database.close();
    },
  };
}
