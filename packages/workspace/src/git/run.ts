import pLimit from 'p-limit';
import type { Clock } from '../clock.ts';
import { GitTimeoutError } from '../errors.ts';
import { createLauncher, type Launcher } from '../launcher.ts';
import type { ProcessResult } from '../process.ts';
import { classifyFailure } from './classify.ts';

/** One call of git. */
export interface GitCall {
  /** Arguments; values from outside must stand behind `--end-of-options` or be checked before. */
  readonly args: readonly string[];
  /** What it is for, in words, for the error message. */
  readonly what: string;
  /** Repository; absent for calls without one. */
  readonly gitDir?: string;
  /** Working tree. */
  readonly workTree?: string;
  /** Index file, where it is not the repository's own. */
  readonly index?: string;
  /** More variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly input?: string | Buffer;
  /** Milliseconds; default the manager's limit for local work. */
  readonly timeoutMs?: number;
  /** Gives up and kills. */
  readonly signal?: AbortSignal | undefined;
  /** Exit codes that are answers. @default [0] */
  readonly ok?: readonly number[];
  /** Bytes of output kept. @default 64 MiB */
  readonly maxOutput?: number;
  /** Reads standard error as it comes. */
  readonly onStderr?: ((chunk: Buffer) => void) | undefined;
  /** Program and arguments to put before git, to enter a namespace. @default [] */
  readonly prefix?: readonly string[] | undefined;
}

/** Runs git with the host's locked-down environment; at most so many at a time. */
export interface Git {
  /**
   * @throws a typed {@link WorkspaceError} when the exit code is not expected
   */
  run(call: GitCall): Promise<ProcessResult>;
  /** The same, for its output as text without the last line end. */
  text(call: GitCall): Promise<string>;
  /** Processes that run now. */
  running(): number;
  /** Calls that wait for a slot. */
  waiting(): number;
  /** Ends what waits for calls. */
  close(): void;
}

/** What {@link createGit} needs. */
export interface GitOptions {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

function callEnvironment(call: GitCall): Record<string, string> {
  return {
    ...(call.gitDir === undefined ? {} : { GIT_DIR: call.gitDir }),
    ...(call.workTree === undefined ? {} : { GIT_WORK_TREE: call.workTree }),
    ...(call.index === undefined ? {} : { GIT_INDEX_FILE: call.index }),
    ...call.env,
  };
}

async function runOne(options: GitOptions, launcher: Launcher, call: GitCall): Promise<ProcessResult> {
  const [command, ...args] = [...(call.prefix ?? []), options.program, ...call.args];
  const timeoutMs = call.timeoutMs ?? options.timeoutMs;
  const { onStderr } = call;
  const result = await launcher.run({
    command: command as string,
    args,
    env: callEnvironment(call),
    input: call.input,
    timeoutMs,
    signal: call.signal,
    maxOutput: call.maxOutput ?? 64 * 1024 * 1024,
    onOutput: onStderr && ((stream, chunk) => stream === 'stderr' && onStderr(chunk)),
    clock: options.clock,
  });
  if (result.timedOut) {
    throw new GitTimeoutError(
      `${call.what} did not end within ${timeoutMs} ms and was killed. Raise the limit or try later`,
    );
  }
  if (!(call.ok ?? [0]).includes(result.exitCode ?? -1)) {
    throw classifyFailure(call.what, result.stderr.toString('utf8'), result.exitCode);
  }
  return result;
}

/** Makes the runner of the host's git processes. */
export function createGit(options: GitOptions): Git {
  const limit = pLimit(options.concurrency);
  const launcher = createLauncher(options.environment);
  const run = (call: GitCall): Promise<ProcessResult> => limit(() => runOne(options, launcher, call));
  return {
    run,
    text: async (call) => (await run(call)).stdout.toString('utf8').replace(/\n$/, ''),
    running: () => limit.activeCount,
    waiting: () => limit.pendingCount,
    close: () => launcher.close(),
  };
}
