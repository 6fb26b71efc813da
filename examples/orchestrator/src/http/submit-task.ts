import { keyFrom } from '@millrace/idempotency';
import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { newId } from '../ids.ts';
import { createRun, type RunWithRepo } from '../runs/create.ts';
import { runsWithRepo } from '../runs/store.ts';
import { addMessage, createTask, getTask, type TaskRow } from '../tasks/tasks.ts';
import { hasRoom } from '../tenants/quota.ts';
import { getTenant, type TenantRow } from '../tenants/tenants.ts';
import type { ApiContext } from './context.ts';
import { ApiError } from './problem.ts';
import { checkRepo } from './repo-access.ts';
import type { NewRunBody } from './schemas.ts';
import { requireKey, type SubmissionHeaders, wantsReplay } from './submissions.ts';
import { type CheckedRun, checkRun, noRoom } from './submit.ts';
import type { NewTaskBody, TaskRunsBody } from './task-schemas.ts';

/** A task with the runs that a request made. */
export interface SubmittedTask {
  readonly task: TaskRow;
  readonly runs: readonly RunWithRepo[];
  readonly replayed: boolean;
}

/** Stores a task and a run for each of its agents: all of them, or, when one cannot be, none. */
export async function submitTask(
  context: ApiContext,
  headers: SubmissionHeaders,
  body: NewTaskBody,
): Promise<SubmittedTask> {
  const { tenantId, prefer } = headers;
  const tenant = await getTenant(context.db, tenantId);
  await checkRepo(context, tenant, body.repo, body.ref);
  const checked = await checkRuns(context, tenant, body, body);
  const key = requireKey(headers.key);
  const request = { tenantId, operation: 'tasks.create', key, input: body, replay: wantsReplay(prefer) } as const;
  const { value, replayed } = await context.submissions.submit(request, async (tx) => {
    const { repo, ref, prompt = '' } = body;
    const title = body.title ?? (prompt.split('\n')[0]?.slice(0, 200) || repo);
    if (!(await hasRoom(tx, tenant, checked.length))) throw noRoom();
    const taskId = await createTask(tx, { tenantId, repo, ref, title, prompt });
    const runs = storeRuns(tx, headers, taskId, checked);
    return { value: { taskId, runIds: runs.ids }, stored: runs.stored };
  });
  return await answer(context, tenantId, value, replayed);
}

/**
 * Stores further runs of a task under one key. Without a key of the client's own the same request counts as the same
 * intent: its key is the task and the fingerprint of what it asks for.
 */
export async function submitTaskRuns(
  context: ApiContext,
  headers: SubmissionHeaders,
  task: TaskRow,
  body: TaskRunsBody,
): Promise<SubmittedTask> {
  const { tenantId, prefer } = headers;
  const prompt = body.prompt ?? task.prompt;
  const tenant = await getTenant(context.db, tenantId);
  const checked = await checkRuns(context, tenant, { repo: task.repo_url, ref: task.ref, prompt }, body);
  const key = headers.key || keyFrom(task.id, body);
  const input = { taskId: task.id, ...body };
  const request = { tenantId, operation: 'tasks.run', key, input, replay: wantsReplay(prefer) } as const;
  const { value, replayed } = await context.submissions.submit(request, async (tx) => {
    if (!(await hasRoom(tx, tenant, checked.length))) throw noRoom();
    if (body.prompt !== undefined) await addMessage(tx, { taskId: task.id, author: 'user', body: body.prompt });
    const runs = storeRuns(tx, headers, task.id, checked);
    return { value: { taskId: task.id, runIds: runs.ids }, stored: runs.stored };
  });
  return await answer(context, tenantId, value, replayed);
}

async function checkRuns(
  context: ApiContext,
  tenant: TenantRow | undefined,
  { repo, ref, prompt }: { readonly repo: string; readonly ref: string; readonly prompt?: string | undefined },
  body: Omit<TaskRunsBody, 'prompt'>,
): Promise<CheckedRun[]> {
  const { agents, priority, timeout, deadline, message, budgetMicroUsd, pullRequest } = body;
  const options = { priority, timeout, deadline, message, budgetMicroUsd, pullRequest };
  const runs = agents.map((agent) => ({ repo, ref, agent: withPrompt(agent, prompt), ...options }) as NewRunBody);
  return await Promise.all(runs.map((run) => checkRun(context, tenant, run)));
}

function withPrompt(agent: TaskRunsBody['agents'][number], prompt: string | undefined): NewRunBody['agent'] {
  if (agent.type === 'command') return agent;
  const own = agent.prompt ?? prompt;
  if (own) return { ...agent, prompt: own };
  const detail = `The agent ${agent.type} needs a prompt: its own, or the task's.`;
  throw new ApiError(422, 'ERR_INVALID_REQUEST', detail);
}

function storeRuns(
  tx: Kysely<Database>,
  { tenantId, traceparent }: SubmissionHeaders,
  taskId: string,
  checked: readonly CheckedRun[],
): { readonly ids: readonly string[]; readonly stored: Promise<unknown> } {
  const runs = checked.map((run) => ({ id: newId(), tenantId, taskId, ...run, ...(traceparent && { traceparent }) }));
  return { ids: runs.map(({ id }) => id), stored: Promise.all(runs.map((run) => createRun(tx, run))) };
}

async function answer(
  context: ApiContext,
  tenantId: string,
  { taskId, runIds }: { readonly taskId: string; readonly runIds: readonly string[] },
  replayed: boolean,
): Promise<SubmittedTask> {
  if (!replayed) for (const runId of runIds) context.relay.publish({ kind: 'outbox', runId });
  const task = await getTask(context.db, tenantId, taskId);
  if (!task)
    throw new ApiError(404, 'ERR_TASK_NOT_FOUND', `The task ${taskId} of this key was deleted; use a new key.`);
  const runs =
    runIds.length === 0
      ? []
      : await runsWithRepo(context.db)
          .where('runs.id', 'in', [...runIds])
          .execute();
  const byId = new Map(runs.map((run) => [run.id, run]));
  return { task, runs: runIds.flatMap((id) => byId.get(id) ?? []), replayed };
}
