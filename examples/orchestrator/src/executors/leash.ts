import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogStream } from '../logs/line.ts';
import type { Execution, ExecutionResult } from './executor.ts';
import { splitLines } from './lines.ts';

/** Milliseconds between SIGTERM and SIGKILL. A cancelled run must be gone within 2 s, its notice (0.5 s) included. */
const grace = 1000;
/** Milliseconds that output may stay open after the program has ended: a daemon can hold it for ever. */
const outputGrace = 1000;

/**
 * The leash: descriptor 3 is open for as long as the server lives. When it ends, even by `kill -9`, the watcher kills
 * the process group, so that no agent goes on writing into a workspace that another worker has taken over. The program
 * joins the control groups named by the first arguments, up to `--`, before it begins.
 */
const leash = `(trap '' TERM INT; read -r _ <&3; kill -9 -$$) >/dev/null 2>&1 &
exec 3<&-
while [ "$1" != -- ]; do echo $$ > "$1" || exit 126; shift; done
shift
exec "$@"`;

/** A program on a leash. */
export interface Leashed {
  readonly command: string;
  readonly args: readonly string[];
  /** Files that take the ids of the processes of a control group. @default [] */
  readonly groups?: readonly string[];
  /** Where it starts. */
  readonly directory: string;
  /** Ends what the process group does not hold; called when the program has ended. */
  readonly killRest: () => Promise<void>;
}

/** Runs a program with its children in a process group of its own. When it settles, none of them is alive. */
export async function runLeashed(execution: Execution, program: Leashed): Promise<ExecutionResult> {
  const { signal, timeout } = execution;
  if (signal.aborted) return { reason: 'aborted', exitCode: null, signal: null };
  const child = start(execution, program);
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const output = Promise.all([
    forward(child.stdout, 'stdout', execution.onLine),
    forward(child.stderr, 'stderr', execution.onLine),
  ]);
  let reason: ExecutionResult['reason'] = 'exited';
  const stop = (why: ExecutionResult['reason']): void => {
    if (reason !== 'exited') return;
    reason = why;
    void terminate(child);
  };
  const onAbort = (): void => stop('aborted');
  const timer = setTimeout(stop, Math.min(timeout, 2 ** 31 - 1), 'timeout');
  signal.addEventListener('abort', onAbort, { once: true });
  output.catch(onAbort);
  try {
    const [exitCode, exitSignal] = await exit;
    killGroup(child, 'SIGKILL');
    await program.killRest();
    await settleOutput(child, output);
    return { reason, exitCode, signal: exitSignal };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function start({ env }: Execution, { command, args, groups = [], directory }: Leashed): ChildProcess {
  return spawn('/bin/sh', ['-c', leash, 'millrace', ...groups, '--', command, ...args], {
    cwd: directory,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
}

async function forward(source: Readable | null, stream: LogStream, onLine: Execution['onLine']): Promise<void> {
  if (!source) return;
  for await (const line of splitLines(source)) await onLine(stream, line);
}

/** A failure to store the output is the run's failure; output that never ends is cut off. */
async function settleOutput(child: ChildProcess, output: Promise<unknown>): Promise<void> {
  const cut = new AbortController();
  const limit = sleep(outputGrace, undefined, { signal: cut.signal })
    .then(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    })
    .catch(() => undefined);
  try {
    await output.catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    });
  } finally {
    cut.abort();
    await limit;
  }
}

async function terminate(child: ChildProcess): Promise<void> {
  killGroup(child, 'SIGTERM');
  await sleep(grace);
  killGroup(child, 'SIGKILL');
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
