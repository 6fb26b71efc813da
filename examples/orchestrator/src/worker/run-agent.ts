import { stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Workspace } from '@millrace/workspace';
import type { AgentType } from '../agents/agent.ts';
import { resolveInside } from '../agents/path.ts';
import { agentOf } from '../agents/registry.ts';
import type { AgentSpec, RunRow } from '../db/schema.ts';
import { runMarker } from '../executors/marked.ts';
import type { ModelLease } from '../gateway/gateway.ts';
import { RunFailure } from '../runs/errors.ts';
import { addMessage } from '../tasks/tasks.ts';
import { type AgentReport, createAgentOutput } from './agent-output.ts';
import { agentMemory } from './agent-session.ts';
import type { WorkerContext } from './context.ts';
import { judgeAgent } from './judge.ts';
import { mountsOf } from './mounts.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import type { RunSession } from './session.ts';

/**
 * Runs the run's agent in its workspace, its output into the run's log.
 * @throws {RunFailure} when it fails or takes too long.
 */
export async function runAgent(context: WorkerContext, session: RunSession, workspace: Workspace): Promise<void> {
  const { run, log } = session;
  const agent = agentOf(run.agent);
  const directory = await resolveInside(workspace.path, directoryOf(run.agent));
  const programs = await findPrograms(context, agent);
  await using scratch = await makeScratch(context.scratch, session.hold, 'agent');
  const refused = new AbortController();
  const model = await openModel(context, session, agent, () => refused.abort());
  const { command, args, env, homeFiles = {} } = agent.command(run.agent, model?.access);
  await scratch.writeHome(homeFiles);
  const memory = await agentMemory(context, session, agent, { workspace, directory, scratch });
  await memory.restore();
  await log.write('system', agent.describe(run.agent));
  const output = createAgentOutput(agent, log);
  try {
    const result = await context.executor.run({
      runId: run.id,
      command,
      args,
      directory,
      env: { ...minimalEnvironment(run.id, scratch, programs), ...failedChecks(run), ...env },
      mounts: await mountsOf(workspace, scratch, programs && join(context.agentPrograms, agent.type)),
      ...(model && { reach: model.access.baseUrl }),
      timeout: Number(run.timeout_ms),
      signal: AbortSignal.any([session.signal, refused.signal]),
      onLine: output.line,
    });
    session.signal.throwIfAborted();
    await memory.keep(output.report().sessionId, model ? [model.access.token] : []);
    await saveAnswer(context, run, output.report());
    const { refusal, trouble } = model ?? { refusal: undefined, trouble: undefined };
    judgeAgent({ result, report: output.report(), refusal, trouble, timeout: Number(run.timeout_ms) });
  } finally {
    model?.close();
    await log.flush();
  }
}

/** What the agent said in the end belongs to the conversation of its task. */
async function saveAnswer({ db }: WorkerContext, { id, task_id }: RunRow, { result }: AgentReport): Promise<void> {
  if (task_id === null || !result?.text) return;
  await addMessage(db, { taskId: task_id, author: 'agent', body: result.text, runId: id });
}

function directoryOf(spec: AgentSpec): string | undefined {
  return typeof spec.directory === 'string' ? spec.directory : undefined;
}

async function openModel(
  context: WorkerContext,
  { run }: RunSession,
  { provider }: AgentType<AgentSpec>,
  onRefusal: () => void,
): Promise<ModelLease | undefined> {
  if (!provider) return undefined;
  return await context.gateway.open({ runId: run.id, tenantId: run.tenant_id, provider }, onRefusal);
}

/** Where the program of an agent lies that is installed on demand; nothing for one that needs no program of its own. */
async function findPrograms(context: WorkerContext, { type, provider }: AgentType): Promise<string | undefined> {
  if (!provider) return undefined;
  const folder = join(context.agentPrograms, type, 'node_modules', '.bin');
  if (await stat(join(folder, type)).catch(() => undefined)) return folder;
  throw new RunFailure(
    'ERR_AGENT_NOT_INSTALLED',
    `The agent ${type} is not installed on this worker; run: npm run agents -- ${type}`,
  );
}

/** A command has no prompt that could tell it what it is to mend. */
function failedChecks({ follow_up }: RunRow): Record<string, string> {
  return follow_up ? { MILLRACE_FAILED_CHECKS: follow_up.failing.join('\n') } : {};
}

/** All that an agent sees of this machine: nothing of the server's environment but the search path and language. */
function minimalEnvironment(runId: string, scratch: Scratch, programs: string | undefined): Record<string, string> {
  const path = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin';
  return {
    PATH: programs ? `${programs}${delimiter}${path}` : path,
    LANG: process.env.LANG ?? 'C.UTF-8',
    HOME: scratch.home,
    TMPDIR: scratch.temporary,
    CI: 'true',
    TERM: 'dumb',
    GIT_TERMINAL_PROMPT: '0',
    [runMarker]: runId,
  };
}
