import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, open, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, launchAs, serverAccount } from './account.ts';
import { findBinaries } from './binaries.ts';
import { EmbeddedPostgresError } from './errors.ts';

/** The database user and database of the embedded cluster. */
export const clusterUser = 'millrace';

/** Folders and files of one embedded cluster. */
export interface ClusterPaths {
  readonly root: string;
  readonly data: string;
  readonly password: string;
  readonly port: string;
  readonly log: string;
}

export function clusterPaths(root: string): ClusterPaths {
  const inRoot = (name: string) => join(root, name);
  return {
    root,
    data: inRoot('data'),
    password: inRoot('password'),
    port: inRoot('port'),
    log: inRoot('server.log'),
  };
}

/** Makes the cluster unless it exists. It is made aside and renamed, so a crash leaves no half a cluster behind. */
export async function ensureCluster(paths: ClusterPaths): Promise<void> {
  if (await exists(join(paths.data, 'PG_VERSION'))) return;
  const account = await serverAccount();
  const password = await ensurePassword(paths);
  const fresh = `${paths.data}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(fresh, { mode: 0o700 });
    if (account) await chown(fresh, account.uid, account.gid);
    await initdb(fresh, password, account);
    await rename(fresh, paths.data).catch(ignoreLostRace);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Another process made the cluster first: ours is thrown away. */
function ignoreLostRace(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
}

async function ensurePassword(paths: ClusterPaths): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  await writeFile(paths.password, password, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return await readFile(paths.password, 'utf8');
}

async function initdb(directory: string, password: string, account: Account | undefined): Promise<void> {
  const { initdb: program } = await findBinaries();
  const passwordFile = `${directory}.password`;
  try {
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (account) await chown(passwordFile, account.uid, account.gid);
    const args = ['-D', directory, '-U', clusterUser, `--pwfile=${passwordFile}`];
    const settings = ['--auth=scram-sha-256', '--encoding=UTF8', '--no-locale', '--no-sync', '--no-instructions'];
    const launch = await launchAs(account, program, [...args, ...settings], directory);
    await runToEnd(spawn(launch.command, launch.args, { ...launch.options, stdio: ['ignore', 'ignore', 'pipe'] }));
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function runToEnd(child: ChildProcess): Promise<void> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-2000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new EmbeddedPostgresError(`initdb ended with ${code}: ${stderr.trim()}`);
}

/**
 * Starts the server as a process of its own session: neither Ctrl-C in our terminal nor our crash takes it down, so
 * that a second process on the same data keeps its database. Resolves with a function that tells how it ended early.
 */
export async function startServer(paths: ClusterPaths, port: number): Promise<() => string | undefined> {
  const { postgres } = await findBinaries();
  const settings = Object.entries({
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    log_min_messages: 'warning',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const args = ['-D', paths.data, '-p', `${port}`, ...settings];
  const launch = await launchAs(await serverAccount(), postgres, args, paths.root);
  const log = await open(paths.log, 'w');
  let ending: string | undefined;
  try {
    const child = spawn(launch.command, launch.args, {
      ...launch.options,
      cwd: paths.root,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    child.once('error', (error) => {
      ending = error.message;
    });
    child.once('exit', (code, signal) => {
      ending = `ended with ${signal ?? code}`;
    });
    child.unref();
  } finally {
    await log.close();
  }
  return () => ending;
}

/** What `postmaster.pid` says about the server on this cluster. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

/** Reads who serves this cluster now; `undefined` when nobody does. A file left behind by a dead server is removed. */
export async function findPostmaster(paths: ClusterPaths): Promise<Postmaster | undefined> {
  const file = join(paths.data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!pid) return undefined;
  if (!(await isServerOf(pid, paths.data))) {
    await rm(file, { force: true });
    return undefined;
  }
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
}

/**
 * After a crash of the machine the pid in the file can belong to a stranger (in containers the same small numbers come
 * back), and PostgreSQL would refuse to start. A server's working directory is its data directory, so /proc decides.
 */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  if (process.platform !== 'linux') return true;
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => data);
  return directory === data;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function exists(path: string): Promise<boolean> {
  const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  await handle?.close();
  return handle !== undefined;
}
