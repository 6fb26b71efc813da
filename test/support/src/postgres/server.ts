import { randomUUID } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { temporaryDirectory } from '../files.ts';
import { freePort } from '../ports.ts';
import { type ServerProcess, ServerStartError, startServerProcess } from '../process/server-process.ts';
import { WaitTimeoutError, waitFor } from '../wait.ts';
import { serverAccount } from './account.ts';
import { copyRunning } from './backup.ts';
import { postgresPrograms } from './binaries.ts';
import { copyData, dataTemplate } from './template.ts';

/** Options of {@link startPostgres}. */
export interface PostgresOptions {
  /** Start a server of this test's own even when `DATABASE_URL` is set: for tests that stop it. @default false */
  readonly own?: boolean;
  /**
   * Write through to the disk as in production: for tests and benchmarks whose cost is the commit.
   * A crash() of the server loses nothing either way, only a crash of the machine would. @default false
   */
  readonly fsync?: boolean;
  /** Server settings such as `{ wal_level: 'logical' }`. @default {} */
  readonly settings?: Readonly<Record<string, string>>;
  /** A folder that backup() of another server made: begin with its data. @default an empty server */
  readonly from?: string;
}

/** A PostgreSQL server for tests. */
export interface PostgresServer extends AsyncDisposable {
  /** The database `postgres`, as superuser. Tests take a database of their own: createDatabase(). */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Process id of the postmaster; it changes with restart(). 0 for a server given by `DATABASE_URL`. */
  readonly pid: number;
  /** False for a server given by `DATABASE_URL`: it is shared and cannot be stopped by a test. */
  readonly owned: boolean;
  /** Makes an empty database and answers its URL. */
  createDatabase(): Promise<string>;
  /** Stops the server for good (open connections are cut); its data go when the test process ends. */
  stop(): Promise<void>;
  /** Stops the server in good order, cutting connections, and starts it again on the same port. */
  restart(): Promise<void>;
  /** Ends all its processes at once, without a checkpoint; start it again by restart(), which recovers. */
  crash(): Promise<void>;
  /** Copies its data into a folder while it works on, for the option `from`. */
  backup(folder: string): Promise<void>;
}

/** A server that follows another by streaming replication. */
export interface PostgresStandby extends PostgresServer {
  /** Makes it a primary; settles when it accepts writes. */
  promote(): Promise<void>;
}

/**
 * Starts a private PostgreSQL on 127.0.0.1, or answers the one that `DATABASE_URL` names.
 * @throws PostgresMissingError when the binaries are missing.
 * @throws ServerStartError when it does not start; the message has the end of its log.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const given = process.env.DATABASE_URL;
  return given && !options.own ? givenPostgres(given) : ownPostgres(options, async () => {});
}

/**
 * Starts a hot standby of a server made by startPostgres({ own: true }). Start it soon after the primary:
 * it replays the primary's history from the beginning, of which the primary keeps 512 MB.
 */
export async function startPostgresStandby(
  primary: PostgresServer,
  options: PostgresOptions = {},
): Promise<PostgresStandby> {
  const { hostname: host, port, username: user, password } = new URL(primary.url);
  const standby = await ownPostgres(options, async (data) => {
    const source = `host=${host} port=${port} user=${user} password=${password}`;
    await writeFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`);
    await writeFile(join(data, 'standby.signal'), '');
  });
  return Object.assign(standby, {
    promote: async () => {
      await query(standby.url, 'SELECT pg_promote()');
    },
  });
}

async function ownPostgres(
  options: PostgresOptions,
  prepare: (data: string) => Promise<void>,
): Promise<PostgresServer> {
  const account = await serverAccount();
  const programs = await postgresPrograms(account);
  const template = await dataTemplate(programs, account);
  const { path } = await temporaryDirectory('postgres');
  await chmod(path, 0o755);
  const data = join(path, 'data');
  await copyData(options.from ?? template.data, data);
  await prepare(data);
  const port = await freePort();
  const url = `postgres://postgres:${template.password}@127.0.0.1:${port}/postgres`;
  const command = {
    command: programs.postgres,
    args: ['-D', data, ...settingArguments(port, options)],
    cwd: path,
    log: join(path, 'server.log'),
    stopSignal: 'SIGQUIT',
    ...(account && { account }),
  } as const;
  let server = await launch(command, url);
  // SIGINT is PostgreSQL's "fast" shutdown, SIGQUIT its "immediate" one (the same as a crash).
  const stop = (): Promise<void> => server.signal('SIGINT');
  return {
    url,
    host: '127.0.0.1',
    port,
    owned: true,
    get pid() {
      return server.pid;
    },
    createDatabase: () => createDatabase(url),
    stop,
    async restart() {
      await stop();
      server = await launch(command, url);
    },
    crash: () => server.signal('SIGQUIT'),
    backup: (folder) => copyRunning(url, data, folder),
    [Symbol.asyncDispose]: stop,
  };
}

function settingArguments(port: number, { fsync = false, settings = {} }: PostgresOptions): string[] {
  const durability = fsync ? {} : { fsync: 'off', full_page_writes: 'off' };
  const all = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    wal_keep_size: '512MB',
    jit: 'off',
    ...durability,
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function launch(command: Parameters<typeof startServerProcess>[0], url: string): Promise<ServerProcess> {
  const server = await startServerProcess(command);
  try {
    await waitFor(() => !server.running() || accepts(url), {
      timeout: 60_000,
      what: `PostgreSQL at ${new URL(url).host}`,
    });
  } catch (error) {
    if (!(error instanceof WaitTimeoutError)) throw error;
    await server.signal('SIGQUIT');
  }
  if (server.running()) return server;
  throw new ServerStartError(`PostgreSQL did not start. Its log ends with:\n${await server.logTail()}`);
}

async function accepts(url: string): Promise<boolean> {
  await query(url, 'SELECT 1');
  return true;
}

async function createDatabase(url: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await query(url, `CREATE DATABASE ${name}`);
  const made = new URL(url);
  made.pathname = `/${name}`;
  return made.href;
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // A server that goes away while the connection closes must not end the test process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end();
  }
}

function givenPostgres(url: string): PostgresServer {
  const { hostname, port } = new URL(url);
  const made: string[] = [];
  const refuse = (): Promise<never> =>
    Promise.reject(
      new Error('This PostgreSQL was given by DATABASE_URL and is shared: ask for startPostgres({ own: true }).'),
    );
  const stop = async (): Promise<void> => {
    for (const database of made.splice(0)) {
      await query(url, `DROP DATABASE IF EXISTS ${new URL(database).pathname.slice(1)} WITH (FORCE)`);
    }
  };
  return {
    url,
    host: hostname,
    port: Number(port || 5432),
    pid: 0,
    owned: false,
    async createDatabase() {
      const database = await createDatabase(url);
      made.push(database);
      return database;
    },
    stop,
    restart: refuse,
    crash: refuse,
    backup: refuse,
    [Symbol.asyncDispose]: stop,
  };
}
