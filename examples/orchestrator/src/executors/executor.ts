import type { LogStream } from '../logs/line.ts';

/** A folder that a program may see, at the same path inside as outside. */
export interface Mount {
  readonly path: string;
  readonly readOnly: boolean;
}

/** One program to run in a workspace. */
export interface Execution {
  readonly runId: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  /** The whole environment of the program; nothing of the server's is added. */
  readonly env: Readonly<Record<string, string>>;
  /** All that the program needs of this machine's files besides its system. Executors without `files` show everything. */
  readonly mounts: readonly Mount[];
  /** The one address that the program must reach (its models); absent when it needs none. */
  readonly reach?: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Gets each line of output; reading goes on when it resolves. */
  readonly onLine: (stream: LogStream, text: string) => Promise<void>;
}

/** How a program ended. */
export interface ExecutionResult {
  /** `oom`: it wanted more memory than its limit. */
  readonly reason: 'exited' | 'timeout' | 'aborted' | 'oom';
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a way of isolating keeps from a program. */
export interface ExecutorCapabilities {
  /** It sees its mounts and its system only, and the system cannot be written. */
  readonly files: boolean;
  /** It sees no process but its own. */
  readonly processes: boolean;
  /** It reaches no network but the address of {@link Execution.reach}. */
  readonly network: boolean;
  /** Which of its limits are enforced. */
  readonly limits: readonly ('memory' | 'cpus' | 'pids')[];
}

/** Decides how an agent's process is isolated. When `run` settles, nothing that it started is alive. */
export interface Executor {
  readonly name: string;
  readonly capabilities: ExecutorCapabilities;
  run(execution: Execution): Promise<ExecutionResult>;
  /**
   * Ends what workers left behind that are no longer alive, where it does not die with them.
   * @param living ids of the workers that are alive
   */
  sweep?(living: ReadonlySet<string>): Promise<void>;
}

/** Most that a program may use; absent means without a limit. */
export interface ExecutorLimits {
  /** Bytes. */
  readonly memory?: number;
  /** Processors, such as 0.5. */
  readonly cpus?: number;
  /** Processes and threads. */
  readonly pids?: number;
}
