import type { LogStream } from '../logs/line.ts';

/** One program to run in a workspace. */
export interface Execution {
  readonly runId: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  /** The whole environment of the program; nothing of the server's is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Gets each line of output; reading goes on when it resolves. */
  readonly onLine: (stream: LogStream, text: string) => Promise<void>;
}

/** How a program ended. */
export interface ExecutionResult {
  readonly reason: 'exited' | 'timeout' | 'aborted';
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Decides how an agent's process is isolated. When `run` settles, nothing that it started is alive. */
export interface Executor {
  readonly name: string;
  run(execution: Execution): Promise<ExecutionResult>;
}
