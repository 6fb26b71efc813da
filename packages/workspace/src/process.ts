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

/** Output that is kept up to a limit. */
export interface Collected {
  readonly add: (chunk: Buffer) => void;
  readonly bytes: () => Buffer;
  readonly truncated: () => boolean;
}

/** Makes a collector that keeps so many bytes and tells of every chunk. */
export function createCollected(maxOutput: number, onChunk?: (chunk: Buffer) => void): Collected {
  const chunks: Buffer[] = [];
  let size = 0;
  let truncated = false;
  return {
    add: (chunk) => {
      onChunk?.(chunk);
      const room = maxOutput - size;
      truncated ||= chunk.length > room;
      if (room <= 0) return;
      chunks.push(chunk.subarray(0, room));
      size += Math.min(chunk.length, room);
    },
    bytes: () => Buffer.concat(chunks),
    truncated: () => truncated,
  };
}

function collect(child: ChildProcess, name: 'stdout' | 'stderr', request: ProcessRequest): Collected {
  const { maxOutput, onOutput } = request;
  const collected = createCollected(maxOutput, onOutput && ((chunk) => onOutput(name, chunk)));
  child[name]?.on('data', collected.add);
  return collected;
}

/** Kills a process and all that it started, as far as they stayed in its process group. */
export function killGroup({ pid }: { readonly pid?: number | undefined }): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
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
 * Does `work` and kills when its time is over or the request is aborted.
 *
 * @throws the signal's reason when it was aborted
 */
export async function withLimits<T>(
  { signal, clock, timeoutMs }: Pick<ProcessRequest, 'signal' | 'clock' | 'timeoutMs'>,
  kill: () => void,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly timedOut: boolean }> {
  let timedOut = false;
  const timer = clock.setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const value = await work();
    signal?.throwIfAborted();
    return { value, timedOut };
  } finally {
    clock.clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  }
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
  const stdout = collect(child, 'stdout', request);
  const stderr = collect(child, 'stderr', request);
  feed(child, request.input);
  const { value, timedOut } = await withLimits(
    request,
    () => killGroup(child),
    () => ended(child),
  );
  const [code, signal] = value;
  return {
    exitCode: code ?? undefined,
    signal: signal ?? undefined,
    stdout: stdout.bytes(),
    stderr: stderr.bytes(),
    truncated: stdout.truncated() || stderr.truncated(),
    timedOut,
  };
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
}
