import { resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import type { AdapterCapabilities, Hint, QueueAdapter, QueueStorage } from '../../contract/index.ts';
import { InvalidOptionError, QueueClosedError, UnsupportedError } from '../../errors.ts';
import {
  type Call,
  control,
  createCall,
  enqueue,
  exchange,
  hintsOfControl,
  hintsOfEnqueue,
  hintsOfExchange,
} from '../engine/index.ts';
import { type Connection, connect } from './connection.ts';
import type { SqliteDatabase } from './driver.ts';
import { keepAlive } from './keep-alive.ts';
import { createSqliteTables, findQueue, type SqliteTables } from './tables.ts';
import { createWatcher, leaveHint, type Watcher } from './watch.ts';

/** Options of {@link sqliteAdapter}. Give `path` or `database`. */
export interface SqliteOptions {
  /** File, created when it is not there, with its folder. `':memory:'` for one that lives and dies with the connection. */
  readonly path?: string;
  /** A connection of `node:sqlite`, `better-sqlite3` or `libsql` that you have already. It stays yours to close. Use it for nothing else while the queue is open. */
  readonly database?: SqliteDatabase;
  /**
   * `full`: what was accepted survives a power cut. `normal`: it survives the end of any process, and a power cut may undo the last commits.
   * @default 'full'
   */
  readonly durability?: 'full' | 'normal';
}

/**
 * Keeps queues in an SQLite file: for development, for tests, and for services on one machine; several processes may share the file.
 *
 * @example
 * const queue = createQueue({ adapter: sqliteAdapter({ path: 'jobs.db' }), jobs: [sendMail] });
 *
 * @throws InvalidOptionError
 */
export function sqliteAdapter(options: SqliteOptions): QueueAdapter {
  const { durability = 'full', database } = options;
  if ((options.path === undefined) === (database === undefined)) {
    throw new InvalidOptionError('sqliteAdapter() needs either `path` or `database`.');
  }
  const path = options.path === undefined || options.path === ':memory:' ? options.path : resolve(options.path);
  const inFile = path !== undefined && path !== ':memory:';
  let connecting: Promise<Connection> | undefined;

  function connection(): Promise<Connection> {
    connecting ??= connect({
      durability,
      ...(path !== undefined && { path }),
      ...(database !== undefined && { database }),
    }).catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  }

  return {
    name: 'sqlite',
    capabilities: capabilitiesOf(inFile),
    open: async ({ queue, clock }) => {
      const opened = await connection();
      const number = await opened.transaction(() => findQueue(opened, queue));
      return openStorage(queue, opened, createSqliteTables(opened, number), clock);
    },
    close: async () => {
      const opened = await connecting?.catch(() => undefined);
      connecting = undefined;
      opened?.close();
    },
  };
}

function capabilitiesOf(inFile: boolean): AdapterCapabilities {
  return { shared: inFile, durable: inFile, clock: 'given', transactions: false, threadedKeepAlive: inFile };
}

function openStorage(name: string, connection: Connection, tables: SqliteTables, clock: Clock): QueueStorage {
  const watcher = createWatcher(connection, tables.number);
  const run = createRunner(name, connection, tables, clock, watcher);
  const { path } = connection;
  const storage: QueueStorage = {
    enqueue: (request) => {
      if (request.transaction !== undefined) {
        throw new UnsupportedError(
          'The sqlite adapter cannot join a transaction: leave `tx` out, and enqueue after the commit or through an outbox.',
        );
      }
      return run.call((call) => enqueue(call, request), hintsOfEnqueue);
    },
    exchange: (request) =>
      run.call(
        (call) => exchange(call, request),
        (answer) => hintsOfExchange(request, answer),
      ),
    control: (operation, input) =>
      run.call(
        (call) => control(call, operation, input),
        () => hintsOfControl(operation),
      ),
    watch: (listener) => watcher.add(listener),
    close: async () => {
      run.close();
      watcher.stop();
    },
  };
  // The thread knows only the time of the system: with a clock of a simulation the worker renews by its own calls.
  if (path === undefined || clock !== systemClock) return storage;
  return { ...storage, keepAlive: (request) => keepAlive(path, tables.number, request) };
}

interface Runner {
  /** One engine call in one transaction, with the hints that it leaves. */
  call<T>(work: (call: Call) => T, hintsOf: (answer: T) => readonly Hint[]): Promise<T>;
  close(): void;
}

function createRunner(
  name: string,
  connection: Connection,
  tables: SqliteTables,
  clock: Clock,
  watcher: Watcher,
): Runner {
  let closed = false;

  function work<T>(
    step: (call: Call) => T,
    hintsOf: (answer: T) => readonly Hint[],
  ): { answer: T; hints: readonly Hint[] } {
    tables.begin();
    const answer = step(createCall(tables, clock.now()));
    tables.end();
    const hints = hintsOf(answer);
    for (const hint of hints) connection.run(leaveHint[hint], tables.number);
    return { answer, hints };
  }

  return {
    call: async (step, hintsOf) => {
      if (closed) throw new QueueClosedError(name);
      const { answer, hints } = await connection.transaction(() => work(step, hintsOf));
      watcher.tell(hints);
      return answer;
    },
    close: () => {
      closed = true;
    },
  };
}
