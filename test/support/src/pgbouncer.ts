import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { programOf } from './debian.ts';
import { temporaryDirectory } from './files.ts';
import { freePort } from './ports.ts';
import { serverAccount } from './postgres/account.ts';
import { ServerStartError, startServerProcess } from './process/server-process.ts';
import { waitFor } from './wait.ts';

/** PgBouncer in transaction mode before a PostgreSQL server. */
export interface PgBouncer extends AsyncDisposable {
  /** The database that it was started for, through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts PgBouncer on 127.0.0.1 before a database: from the PATH, else from Debian's packages.
 * @throws ServerStartError when it does not start; the message has the end of its log.
 */
export async function startPgBouncer(database: string): Promise<PgBouncer> {
  const port = await freePort();
  const { path } = await temporaryDirectory('pgbouncer');
  const account = await serverAccount();
  const config = await configure(path, port, database);
  if (account) for (const file of [path, ...config]) await chown(file, account.uid, account.gid);
  const { command, env } = await programOf('pgbouncer');
  const server = await startServerProcess({
    command,
    env,
    // It refuses to run as root, but lets root start it: only root can be sure to reach the cache that the program lies in.
    args: [...(account ? ['-u', account.name] : []), config[0]],
    cwd: path,
    log: join(path, 'server.log'),
    stopSignal: 'SIGINT',
  });
  const url = Object.assign(new URL(database), { port: `${port}` }).href;
  await waitFor(() => !server.running() || answers(url), { timeout: 30_000, what: `PgBouncer on port ${port}` });
  if (!server.running()) {
    throw new ServerStartError(`PgBouncer did not start. Its log ends with:\n${await server.logTail()}`);
  }
  const stop = (): Promise<void> => server.signal('SIGTERM');
  return { url, stop, [Symbol.asyncDispose]: stop };
}

/** Writes its configuration, and the password with which clients log in and it logs in at the server. */
async function configure(path: string, port: number, database: string): Promise<readonly [string, string]> {
  const { hostname, port: serverPort, username, password } = new URL(database);
  const [config, users] = [join(path, 'pgbouncer.ini'), join(path, 'users.txt')] as const;
  await chmod(path, 0o700);
  await writeFile(users, `"${username}" "${password}"\n`, { mode: 0o600 });
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${serverPort}`,
    '[pgbouncer]',
    ...['listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir ='],
    ...['auth_type = scram-sha-256', `auth_file = ${users}`],
    ...['pool_mode = transaction', 'default_pool_size = 10', 'max_client_conn = 200'],
    '',
  ];
  await writeFile(config, lines.join('\n'));
  return [config, users];
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } finally {
    await client.end();
  }
}
