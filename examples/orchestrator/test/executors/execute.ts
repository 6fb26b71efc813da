import type { ExecutionResult, Executor, Mount } from '../../src/executors/executor.ts';

export interface ExecuteOptions {
  readonly directory: string;
  readonly runId?: string;
  readonly mounts?: readonly Mount[];
  readonly env?: Readonly<Record<string, string>>;
  readonly reach?: string;
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  readonly onLine?: (text: string) => unknown;
}

/** Runs a line of shell by an executor and gathers what it says. */
export async function execute(
  executor: Executor,
  command: string,
  options: ExecuteOptions,
): Promise<ExecutionResult & { readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const { directory, runId = 'run-1' } = options;
  const result = await executor.run({
    runId,
    command: '/bin/sh',
    args: ['-c', command],
    directory,
    env: { PATH: process.env.PATH ?? '', MILLRACE_RUN_ID: runId, ...options.env },
    mounts: options.mounts ?? [{ path: directory, readOnly: false }],
    ...(options.reach !== undefined && { reach: options.reach }),
    timeout: options.timeout ?? 60_000,
    signal: options.signal ?? new AbortController().signal,
    onLine: async (stream, text) => {
      lines.push(`${stream}: ${text}`);
      await options.onLine?.(text);
    },
  });
  return { ...result, lines };
}
