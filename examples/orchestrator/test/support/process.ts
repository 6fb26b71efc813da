import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** An orchestrator in a process of its own, so that it can be killed. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Everything it printed so far. */
  output(): string;
  /** Whether it ended without being asked to. */
  crashed(): boolean;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Drains it. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `main.ts` with these variables, on a free port, and waits until it is ready. */
export async function startServerProcess(env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const child = spawnServer({ PORT: '0', POLL_INTERVAL: '100ms', LOG_LEVEL: 'warn', WORKER_LEASE: '2s', ...env });
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
      const ready = /ready at (\S+)/.exec(output);
      if (ready?.[1]) resolve(ready[1]);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}:\n${output}`)));
  });
  let asked = false;
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    asked = !ended();
    if (ended()) return child.exitCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
    return child.exitCode;
  };
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    crashed: () => ended() && !asked,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => void (await end('SIGTERM')),
  };
}

/** Runs `main.ts` until it ends by itself: for settings that stop the start. */
export async function failingServer(env: Readonly<Record<string, string>>): Promise<{ code: number; stderr: string }> {
  const child = spawnServer(env);
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, stderr };
}

function spawnServer(env: Readonly<Record<string, string>>): ChildProcess {
  const args = ['--conditions=@millrace/source', '--import', 'tsx', main];
  const inherited = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
  return spawn(process.execPath, args, { env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}
