import { AdapterUnavailableError } from '../../errors.ts';

/** What a statement answered; the part of node-postgres' result that is used here. */
export interface SqlResult {
  readonly rows: readonly unknown[];
}

/** Anything that runs one parameterized statement: `pg` Pool, Client or PoolClient, or a few lines around another driver. */
export interface SqlClient {
  query(text: string, values?: unknown[]): Promise<SqlResult>;
}

/** A connection lent by a pool. */
export interface PooledSqlClient extends SqlClient {
  /** Gives it back; with `true` it is closed instead. */
  release(destroy?: boolean): void;
}

/** An event emitter, as the connections of `pg` are. */
interface Emitter {
  on?(event: 'error', listener: () => void): unknown;
  off?(event: 'error', listener: () => void): unknown;
}

const nothing = (): void => undefined;

/** Borrows a connection for some work. While it is lent its errors surface at the calls; `pg` would end the process for those that come between them. */
export async function withConnection<T>(
  pool: Required<Pick<SqlPool, 'connect'>>,
  work: (connection: SqlClient) => Promise<T>,
): Promise<T> {
  const connection: PooledSqlClient & Emitter = await pool.connect();
  connection.on?.('error', nothing);
  let broken = true;
  try {
    const value = await work(connection);
    broken = false;
    return value;
  } finally {
    connection.off?.('error', nothing);
    connection.release(broken);
  }
}

/** A pool. `connect` lends a connection for hints and for migrations; without it the adapter polls, and migrates on any connection. */
export interface SqlPool extends SqlClient {
  connect?(): Promise<PooledSqlClient>;
}

/** A pool that the adapter opened itself. */
export interface OwnPool extends SqlPool {
  end(): Promise<void>;
}

interface PgModule {
  readonly default: {
    readonly Pool: new (
      options: object,
    ) => OwnPool & {
      on(event: 'error', listener: () => void): unknown;
      on(event: 'connect', listener: (connection: Emitter) => void): unknown;
    };
  };
}

/** Connections that an adapter opens from a URL: two producers' calls, two of a worker's, one of hints, one to spare. */
const mostConnections = 6;

/**
 * Opens a pool.
 * @throws AdapterUnavailableError when `pg` is not installed
 */
export async function openPool(url: string): Promise<OwnPool> {
  const { default: pg } = await load();
  const pool = new pg.Pool({
    connectionString: url,
    max: mostConnections,
    connectionTimeoutMillis: 5_000,
    application_name: 'millrace',
    keepAlive: true,
    // Nothing waits for ever: a call that takes longer has lost its caller long ago.
    query_timeout: 60_000,
  });
  // Errors surface at the calls; an idle connection that breaks is replaced by the pool.
  pool.on('error', nothing);
  // The pool listens while a connection is idle; one that breaks right when it is lent would end the process.
  pool.on('connect', (connection) => void connection.on?.('error', nothing));
  return pool;
}

async function load(): Promise<PgModule> {
  try {
    return (await import('pg')) as unknown as PgModule;
  } catch (cause) {
    throw new AdapterUnavailableError(
      'The PostgreSQL adapter needs pg 8.11 or later: `npm install pg`, or pass a pool of your own as `pool`.',
      { cause },
    );
  }
}
