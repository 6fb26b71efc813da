import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { temporaryDirectory } from '../files.ts';
import { freePort } from '../ports.ts';
import { type ServerProcess, ServerStartError, startServerProcess } from '../process/server-process.ts';
import { waitFor } from '../wait.ts';
import { redisProgram } from './provision.ts';

/** Options of {@link startRedis}. */
export interface RedisOptions {
  /**
   * Start a server of this test's own even when `REDIS_URL` is set: for tests that stop, pause or flush it.
   * @default false
   */
  readonly own?: boolean;
  /** Keep data over restart() and crash() (append-only file, fsync always). @default false */
  readonly persistent?: boolean;
  /** More arguments, such as `['--maxmemory', '50mb']`. @default [] */
  readonly args?: readonly string[];
  /** @default a free one */
  readonly port?: number;
}

/** A Redis server for tests. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Process id; it changes with restart(). 0 for a server given by `REDIS_URL`. */
  readonly pid: number;
  /** False for a server given by `REDIS_URL`: it is shared and cannot be stopped by a test. */
  readonly owned: boolean;
  /** Stops the server for good; its data go when the test process ends. */
  stop(): Promise<void>;
  /** Stops the server in good order and starts it again on the same port. */
  restart(): Promise<void>;
  /** kill -9; start it again by restart(). */
  crash(): Promise<void>;
  /** SIGSTOP: connections stay open and nobody answers. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): Promise<void>;
}

/**
 * Starts a private Redis on 127.0.0.1, or answers the one that `REDIS_URL` names.
 * @throws RedisMissingError when there is no Redis and none can be fetched.
 * @throws ServerStartError when it does not start; the message has the end of its log.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const given = process.env.REDIS_URL;
  if (given && !options.own) return givenRedis(given);
  const { path } = await temporaryDirectory('redis');
  const port = options.port ?? (await freePort());
  let server = await launch(path, port, options);
  const stop = (): Promise<void> => server.signal('SIGTERM');
  return {
    url: `redis://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    owned: true,
    get pid() {
      return server.pid;
    },
    stop,
    async restart() {
      await stop();
      server = await launch(path, port, options);
    },
    crash: () => server.signal('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    [Symbol.asyncDispose]: stop,
  };
}

async function launch(folder: string, port: number, options: RedisOptions): Promise<ServerProcess> {
  const program = await redisProgram();
  await mkdir(folder, { recursive: true });
  const persistence = options.persistent ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const server = await startServerProcess({
    command: program.command,
    env: program.env,
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      ...['--save', '', '--daemonize', 'no', '--protected-mode', 'yes'],
      ...persistence,
      ...(options.args ?? []),
    ],
    cwd: folder,
    log: join(folder, 'server.log'),
  });
  await untilAnswering(server, port);
  return server;
}

async function untilAnswering(server: ServerProcess, port: number): Promise<void> {
  const answered = waitFor(() => !server.running() || redisAnswers(port), {
    timeout: 30_000,
    what: `Redis on port ${port}`,
  });
  await answered.catch(() => {});
  if (server.running() && (await redisAnswers(port))) return;
  await server.signal('SIGKILL');
  throw new ServerStartError(`Redis did not start on port ${port}. Its log ends with:\n${await server.logTail()}`);
}

/** Whether a Redis on this port has loaded its data and answers PING. */
export function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 }, () => socket.write('PING\r\n'));
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG')));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}

function givenRedis(url: string): RedisServer {
  const { hostname, port } = new URL(url);
  const refuse = (): Promise<never> =>
    Promise.reject(new Error('This Redis was given by REDIS_URL and is shared: ask for startRedis({ own: true }).'));
  return {
    url,
    host: hostname,
    port: Number(port || 6379),
    pid: 0,
    owned: false,
    stop: async () => {},
    restart: refuse,
    crash: refuse,
    pause: refuse,
    resume: refuse,
    [Symbol.asyncDispose]: async () => {},
  };
}
