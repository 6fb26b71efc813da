import { type Clock, sleep, systemClock } from './clock.ts';
import { InvalidOptionError } from './errors.ts';
import * as machine from './machine.ts';
import type { IdempotencyRecord, RecordKey } from './record.ts';
import type { SqliteDatabase } from './sqlite/client.ts';
import { openSqlite } from './sqlite/open.ts';
import { openTable, type Table } from './sqlite/table.ts';
import type { IdempotencyStore, SweepResult } from './store.ts';

export type { SqliteDatabase, SqliteStatement } from './sqlite/client.ts';

/** Options of {@link sqliteStore}: a file, or a connection that stays yours. */
export interface SqliteStoreOptions {
  /** The file; opened with `better-sqlite3`, `libsql` or `node:sqlite`, whichever is installed. */
  readonly path?: string;
  /** An open connection, used by nobody else within a transaction. Should be in WAL mode where processes share the file. */
  readonly database?: SqliteDatabase;
  /**
   * The clock of the machine that holds the file: all processes that share it run there.
   * @default systemClock
   */
  readonly clock?: Clock;
}

/** How long SQLite itself may block the event loop waiting for another process's write (ms). */
const busyTimeout = 20;

/** Pauses between tries when another process keeps writing (ms), and how many tries there are: about 5 s together. */
const firstPause = 2;
const longestPause = 100;
const maxTries = 60;

/**
 * Keeps records in a SQLite file that processes of one machine may share.
 *
 * @example
 * ```ts
 * const idempotency = createIdempotency({ store: sqliteStore({ path: 'data/idempotency.db' }) });
 * ```
 * @throws InvalidOptionError when neither `path` nor `database` is given
 */
export function sqliteStore(options: SqliteStoreOptions): IdempotencyStore {
  const { clock = systemClock, database, path } = options;
  if ((path === undefined) === (database === undefined)) {
    throw new InvalidOptionError('Pass either `path` or `database` to sqliteStore().');
  }
  const connection = connectionTo(options, clock);
  /** Reads one record, lets the machine decide, writes what it says: one immediate transaction. */
  const change = (
    key: RecordKey,
    step: (record: IdempotencyRecord | undefined, now: number) => IdempotencyRecord | undefined,
  ) =>
    connection.write((table) => {
      const next = step(table.get(key), clock.now());
      if (next) table.put(next);
      return next !== undefined;
    });
  return {
    name: 'sqlite',
    capabilities: { transactions: false, durable: true, shared: true },
    async begin(key, request) {
      // A replay only reads, and does not wait for writers.
      const seen = await connection.read((table) => machine.begin(table.get(key), key, request, clock.now()));
      if (!seen.write) return seen.result;
      return connection.write((table) => {
        const { result, write } = machine.begin(table.get(key), key, request, clock.now());
        if (write) table.put(write);
        return result;
      });
    },
    extend: (key, fence, times) => change(key, (record, now) => machine.extend(record, fence, times, now)),
    checkpoint: (key, fence, phase, value) =>
      change(key, (record, now) => machine.checkpoint(record, fence, phase, value, now)),
    complete: (key, fence, result, ttl) =>
      change(key, (record, now) => machine.complete(record, fence, result, ttl, now)),
    release: (key, fence, state, ttl) => change(key, (record, now) => machine.release(record, fence, state, ttl, now)),
    resolve: (key, fence, resolution) => change(key, (record, now) => machine.resolve(record, fence, resolution, now)),
    read: (key) => connection.read((table) => live(table.get(key), clock.now())),
    list: (query) =>
      connection.read((table) => table.list(query).filter((record) => live(record, clock.now()) !== undefined)),
    forget: (tenant) => connection.write((table) => table.forget(tenant)),
    sweep: (limit) => connection.write((table) => sweep(table, limit, clock.now())),
    close: connection.close,
  };
}

function live(record: IdempotencyRecord | undefined, now: number): IdempotencyRecord | undefined {
  return record && !machine.isExpired(record, now) ? record : undefined;
}

function sweep(table: Table, limit: number, now: number): SweepResult {
  let deleted = 0;
  let parked = 0;
  for (const record of table.due(now, limit)) {
    const next = machine.sweep(record, now);
    if (next) table.put(next);
    else table.delete(record);
    if (next) parked += 1;
    else deleted += 1;
  }
  return { deleted, parked };
}

interface Connection {
  read<T>(work: (table: Table) => T): Promise<T>;
  write<T>(work: (table: Table) => T): Promise<T>;
  close(): Promise<void>;
}

interface Opened {
  readonly database: SqliteDatabase;
  readonly table: Table;
}

/** Opens at the first use; waits without blocking while another process writes. */
function connectionTo({ path, database }: SqliteStoreOptions, clock: Clock): Connection {
  let opened: Promise<Opened> | undefined;
  const open = async (): Promise<Opened> => {
    const own = database ?? (await openSqlite(path as string));
    if (!database) {
      own.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
      await patiently(clock, () => own.exec('PRAGMA journal_mode = WAL'));
    }
    return { database: own, table: await patiently(clock, () => openTable(own)) };
  };
  const connect = (): Promise<Opened> => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    async read(work) {
      const { table } = await connect();
      return patiently(clock, () => work(table));
    },
    async write(work) {
      const { database: target, table } = await connect();
      return patiently(clock, () => immediately(target, () => work(table)));
    },
    async close() {
      const last = await opened?.catch(() => undefined);
      opened = undefined;
      if (!database) last?.database.close();
    },
  };
}

function immediately<T>(database: SqliteDatabase, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const value = work();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

async function patiently<T>(clock: Clock, work: () => T): Promise<T> {
  for (let attempt = 1, pause = firstPause; ; attempt += 1, pause = Math.min(pause * 2, longestPause)) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || attempt === maxTries) throw error;
    }
    await sleep(clock, pause, undefined);
  }
}

/** `SQLITE_BUSY` and its extended codes, as the three drivers report them. */
function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  return (
    String(code).startsWith('SQLITE_BUSY') ||
    (typeof errcode === 'number' && (errcode & 0xff) === 5) ||
    /database is locked/i.test(error.message)
  );
}
