import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type GuardianMessage, guardian } from './guardian.ts';
import { untilPaused } from './paused.ts';

/** A program that the guardian is to run. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** File that receives stdout and stderr. */
  readonly log: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Run as this user; only root may ask for it. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** @default 'SIGTERM' */
  readonly stopSignal?: NodeJS.Signals;
}

/** A server program that is running under the guardian. */
export interface ServerProcess {
  readonly pid: number;
  /** Settles when the program has ended. */
  readonly exited: Promise<void>;
  /** Whether the program is still there. */
  running(): boolean;
  /** Sends a signal and waits until it has done its work: the program has ended, stands still, or goes on. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** The end of what the program wrote. */
  logTail(): Promise<string>;
}

/** A server did not start; the message carries the end of its log. */
export class ServerStartError extends Error {
  readonly code = 'ERR_TEST_SERVER_START' as const;
  override readonly name = 'ServerStartError';
}

/**
 * Runs a program under the guardian of this process.
 * @throws ServerStartError when the program cannot be executed.
 */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  const { process: child } = await guardian();
  const id = randomUUID();
  let running = true;
  let leave: () => void = () => {};
  const exited = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const started = new Promise<number>((resolve, reject) => {
    const listen = (message: GuardianMessage): void => {
      if (message.type === 'ready' || message.id !== id) return;
      if (message.type === 'started') {
        resolve(message.pid);
        return;
      }
      running = false;
      child.off('message', listen);
      leave();
      if (message.type === 'failed') reject(new ServerStartError(`${command.command}: ${message.message}`));
    };
    child.on('message', listen);
    child.send({
      type: 'start',
      id,
      command: command.command,
      args: command.args,
      cwd: command.cwd,
      log: command.log,
      env: command.env ?? serverEnvironment(),
      stopSignal: command.stopSignal ?? 'SIGTERM',
      ...command.account,
    });
  });
  const pid = await keepingAlive(started);
  return {
    pid,
    exited,
    running: () => running,
    async signal(signal) {
      if (!running) return;
      child.send({ type: 'signal', id, signal });
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') await untilPaused(pid, signal === 'SIGSTOP');
      else await keepingAlive(exited);
    },
    logTail: async () => (await readFile(command.log, 'utf8').catch(() => '')).slice(-2_000),
  };
}

/** Only what a server needs: no secrets and no client settings (PGHOST …) of whoever runs the tests. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const { PATH, LD_LIBRARY_PATH, TMPDIR } = process.env;
  return { PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }), ...(TMPDIR && { TMPDIR }) };
}

/** The channel is unreferenced, so a promise that waits for it needs something that holds the event loop. */
async function keepingAlive<T>(promise: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, 1_000);
  try {
    return await promise;
  } finally {
    clearInterval(hold);
  }
}
