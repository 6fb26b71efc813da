import { connect } from 'node:net';
import { join } from 'node:path';
import { programOf } from './debian.ts';
import { temporaryDirectory } from './files.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, ServerStartError, startServerProcess } from './process/server-process.ts';
import { waitFor } from './wait.ts';

/** A NATS server with JetStream, for tests. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
  /** Starts it again on the same port; streams that were kept in memory are gone. */
  restart(): Promise<void>;
  /** kill -9; start it again by restart(). */
  crash(): Promise<void>;
}

/**
 * Starts a private NATS on 127.0.0.1: from the PATH, else from Debian's packages.
 * @throws ServerStartError when it does not start; the message has the end of its log.
 */
export async function startNats(): Promise<NatsServer> {
  const { path } = await temporaryDirectory('nats');
  const port = await freePort();
  let server = await launch(path, port);
  const stop = (): Promise<void> => server.signal('SIGTERM');
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    stop,
    async restart() {
      await stop();
      server = await launch(path, port);
    },
    crash: () => server.signal('SIGKILL'),
    [Symbol.asyncDispose]: stop,
  };
}

async function launch(folder: string, port: number): Promise<ServerProcess> {
  const program = await programOf('nats-server');
  const server = await startServerProcess({
    command: program.command,
    env: program.env,
    args: ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', join(folder, 'store')],
    cwd: folder,
    log: join(folder, 'server.log'),
  });
  await waitFor(() => !server.running() || natsAnswers(port), { timeout: 30_000, what: `NATS on port ${port}` });
  if (server.running()) return server;
  throw new ServerStartError(`NATS did not start on port ${port}. Its log ends with:\n${await server.logTail()}`);
}

/** A NATS server speaks first. */
function natsAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('data', (data) => answer(data.toString().startsWith('INFO ')));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}
