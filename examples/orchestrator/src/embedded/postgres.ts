import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  type ClusterPaths,
  clusterPaths,
  clusterUser,
  ensureCluster,
  findPostmaster,
  isAlive,
  startServer,
} from './cluster.ts';
import { EmbeddedPostgresError } from './errors.ts';

/** Every process that uses the cluster holds this advisory lock shared; who gets it exclusively is the last one. */
const presenceLock = 0x6d_69_6c_6c;
const startTimeout = 60_000;
const retryDelay = 50;

export interface EmbeddedPostgresOptions {
  /** Folder of the cluster; made when missing. */
  readonly directory: string;
  /** Told when the server had to be started again while in use. */
  readonly onRestart?: (reason: string) => void;
}

/** A PostgreSQL server that belongs to a folder, shared by every process that opens the same folder. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  /** False when another process, or one that crashed before, had already started the server. */
  readonly started: boolean;
  /** Leaves; the last process to leave stops the server. */
  close(): Promise<void>;
}

/**
 * Opens the PostgreSQL of a folder: makes the cluster on first use, starts its server unless one runs, and says "I am
 * here" by a shared advisory lock on a connection of its own. A crashed process loses that lock with its connection,
 * so there is no list of users that could go stale.
 *
 * @throws {EmbeddedPostgresError} when the server cannot be made or started.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  await mkdir(options.directory, { recursive: true, mode: 0o711 });
  const paths = clusterPaths(await realpath(options.directory));
  await ensureCluster(paths);
  const { url, ...first } = await enter(paths);
  let current = Promise.resolve(first.client);
  let closing = false;

  const watch = (client: pg.Client): void => {
    client.once('end', () => {
      if (closing) return;
      options.onRestart?.('the connection to the embedded PostgreSQL was lost');
      current = enter(paths, portOf(url)).then(({ client: next }) => {
        watch(next);
        return next;
      });
      current.catch((error: Error) => options.onRestart?.(error.message));
    });
  };
  watch(first.client);

  const close = async (): Promise<void> => {
    if (closing) return;
    closing = true;
    const client = await current.catch(() => undefined);
    if (client) await leave(paths, client);
  };
  return { url, started: first.started, close, [Symbol.asyncDispose]: close };
}

interface Presence {
  readonly client: pg.Client;
  readonly url: string;
  readonly started: boolean;
}

/** Finds or starts the server and takes the presence lock; tries again while another process is stopping it. */
async function enter(paths: ClusterPaths, port?: number): Promise<Presence> {
  const deadline = Date.now() + startTimeout;
  let started = false;
  let failure: unknown;
  while (Date.now() < deadline) {
    const server = await findPostmaster(paths);
    if (server?.ready) {
      const url = await urlOf(paths, server.port);
      const client = await connect(url).catch((error: unknown) => {
        failure = error;
      });
      if (client) return { client, url, started };
    } else if (!server) {
      failure = await startAndWait(paths, port ?? (await choosePort(paths)), deadline);
      started = failure === undefined;
    }
    await sleep(retryDelay);
  }
  throw new EmbeddedPostgresError(`The embedded PostgreSQL in ${paths.root} did not start; see ${paths.log}.`, {
    cause: failure,
  });
}

/** Resolves with the reason when the server ends before it is ready: another process may have won the race. */
async function startAndWait(paths: ClusterPaths, port: number, deadline: number): Promise<string | undefined> {
  const ending = await startServer(paths, port);
  while (Date.now() < deadline) {
    const server = await findPostmaster(paths);
    if (server?.ready) {
      await writeFile(paths.port, `${server.port}`);
      return undefined;
    }
    if (ending() !== undefined) return ending();
    await sleep(retryDelay);
  }
  return 'it was not ready in time';
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'millrace presence', keepAlive: true });
  client.on('error', () => void client.end());
  await client.connect();
  await client.query('SELECT pg_advisory_lock_shared($1)', [presenceLock]);
  return client;
}

async function leave(paths: ClusterPaths, client: pg.Client): Promise<void> {
  const last = await takeLastLock(client).catch(() => false);
  const server = last ? await findPostmaster(paths) : undefined;
  if (server) await stopServer(server.pid);
  await client.end().catch(() => undefined);
}

async function takeLastLock(client: pg.Client): Promise<boolean> {
  await client.query('SELECT pg_advisory_unlock_shared($1)', [presenceLock]);
  const answer = await client.query<{ last: boolean }>('SELECT pg_try_advisory_lock($1) AS last', [presenceLock]);
  return answer.rows[0]?.last === true;
}

/** SIGINT is PostgreSQL's fast shutdown: sessions are ended, everything is written, no recovery on the next start. */
async function stopServer(pid: number): Promise<void> {
  process.kill(pid, 'SIGINT');
  for (let waited = 0; isAlive(pid) && waited < startTimeout; waited += retryDelay) await sleep(retryDelay);
}

async function urlOf(paths: ClusterPaths, port: number): Promise<string> {
  const password = (await readFile(paths.password, 'utf8')).trim();
  return `postgres://${clusterUser}:${password}@127.0.0.1:${port}/postgres`;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** The port of last time when it is free, so that clients of a crashed server find it again. */
async function choosePort(paths: ClusterPaths): Promise<number> {
  const last = Number(await readFile(paths.port, 'utf8').catch(() => '0'));
  return await freePort(last).catch(() => freePort(0));
}

function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : wanted));
    });
  });
}
