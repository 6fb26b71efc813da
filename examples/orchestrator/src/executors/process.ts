import type { Executor } from './executor.ts';
import { runLeashed } from './leash.ts';
import { killMarked } from './marked.ts';

/** Runs agents as plain processes of this machine, each with its children in a process group of its own. */
export function processExecutor(): Executor {
  return {
    name: 'process',
    capabilities: { files: false, processes: false, network: false, limits: [] },
    run: (execution) => {
      const startedAt = Date.now();
      return runLeashed(execution, {
        command: execution.command,
        args: execution.args,
        directory: execution.directory,
        killRest: () => killMarked(execution.runId, startedAt),
      });
    },
  };
}
