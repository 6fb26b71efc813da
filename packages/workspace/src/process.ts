import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from './clock.ts';

/** A process to run to its end. */
export interface ProcessRequest {
  /** Program; no shell is involved. */
  readonly command: string;
  /** Arguments. */
  readonly args: readonly string[];
  /** Working directory. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes for the standard input. */
  readonly input?: string | Buffer | undefined;
  /** Milliseconds until the process group is killed. */
  readonly timeoutMs: number;
  /** Kills the process group when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes kept per output. */
  readonly maxOutput: number;
  /** Called with each piece of output. */
  readonly onOutput?: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined;
  /** Timer for the timeout. */
  readonly clock: Clock;
}

/** How a process ended. */
export interface ProcessResult {
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly truncated: boolean;
  readonly timedOut: boolean;
}

interface Collected {
  readonly bytes: () => Buffer;
  readonly truncated: () => boolean;
}

function collect(child: ChildProcess, name: 'stdout' | 'stderr', request: ProcessRequest): Collected {
  const chunks: Buffer[] = [];
  let size = 0;
  let truncated = false;
  child[name]?.on('data', (chunk: Buffer) => {
    request.onOutput?.(name, chunk);
    const room = request.maxOutput - size;
    truncated ||= chunk.length > room;
    if (room <= 0) return;
    chunks.push(chunk.subarray(0, room));
    size += Math.min(chunk.length, room);
  });
  return { bytes: () => Buffer.concat(chunks), truncated: () => truncated };
}

/** Kills a process and all that it started, as far as they stayed in its process group. */
export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

function feed(child: ChildProcess, input: string | Buffer | undefined): void {
  // A program that does not read its input closes it: that is its right, not our error.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
}

/**
 * Runs a process in a group of its own and waits for its end.
 *
 * @throws the signal's reason when it was aborted, or the system's error when the program can not be started
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  request.signal?.throwIfAborted();
  const { command, args, cwd, env } = request;
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let timedOut = false;
  const kill = (): void => killGroup(child);
  const timer = request.clock.setTimeout(() => {
    timedOut = true;
    kill();
  }, request.timeoutMs);
  request.signal?.addEventListener('abort', kill, { once: true });
  const stdout = collect(child, 'stdout', request);
  const stderr = collect(child, 'stderr', request);
  feed(child, request.input);
  try {
    const [code, signal] = await ended(child);
    request.signal?.throwIfAborted();
    return {
      exitCode: code ?? undefined,
      signal: signal ?? undefined,
      stdout: stdout.bytes(),
      stderr: stderr.bytes(),
      truncated: stdout.truncated() || stderr.truncated(),
      timedOut,
    };
  } finally {
    request.clock.clearTimeout(timer);
    request.signal?.removeEventListener('abort', kill);
  }
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
}
