import type { Workspace } from '@millrace/workspace';
import { resolveInside } from '../agents/path.ts';
import { agentOf } from '../agents/registry.ts';
import type { ExecutionResult } from '../executors/executor.ts';
import { runMarker } from '../executors/marked.ts';
import { RunFailure } from '../runs/errors.ts';
import type { WorkerContext } from './context.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import type { RunSession } from './session.ts';

/**
 * Runs the run's agent in its workspace, its output into the run's log.
 * @throws {RunFailure} when it fails or takes too long.
 */
export async function runAgent(context: WorkerContext, session: RunSession, workspace: Workspace): Promise<void> {
  const { run, log, signal } = session;
  const { agent, spec } = agentOf(run.agent);
  const directory = await resolveInside(workspace.path, directoryOf(spec));
  await using scratch = await makeScratch(context.scratch, session.hold, 'agent');
  const { command, args, env } = agent.command(spec);
  await log.write('system', agent.describe(spec));
  const result = await context.executor.run({
    runId: run.id,
    command,
    args,
    directory,
    env: { ...minimalEnvironment(run.id, scratch), ...env },
    timeout: Number(run.timeout_ms),
    signal,
    onLine: log.write,
  });
  judge(result, signal, Number(run.timeout_ms));
  await log.flush();
}

function directoryOf(spec: object): string | undefined {
  return 'directory' in spec && typeof spec.directory === 'string' ? spec.directory : undefined;
}

/** All that an agent sees of this machine: nothing of the server's environment but the search path and language. */
function minimalEnvironment(runId: string, scratch: Scratch): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LANG: process.env.LANG ?? 'C.UTF-8',
    HOME: scratch.home,
    TMPDIR: scratch.temporary,
    CI: 'true',
    TERM: 'dumb',
    GIT_TERMINAL_PROMPT: '0',
    [runMarker]: runId,
  };
}

function judge(result: ExecutionResult, signal: AbortSignal, timeout: number): void {
  if (result.reason === 'aborted') throw signal.reason;
  if (result.reason === 'timeout') {
    throw new RunFailure('ERR_AGENT_TIMEOUT', `The agent was stopped after ${timeout} ms; give it a longer timeout.`);
  }
  if (result.exitCode !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `exited with ${result.exitCode}`;
    throw new AgentExitError(`The agent ${how}; its log tells why.`, result.exitCode);
  }
}

/** The agent itself said that it failed. */
export class AgentExitError extends RunFailure {
  readonly exitCode: number | null;
  constructor(message: string, exitCode: number | null) {
    super('ERR_AGENT_FAILED', message);
    this.exitCode = exitCode;
  }
}
