import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { isId } from '../../ids.ts';
import { getTask, listMessages, listTasks, type TaskRow } from '../../tasks/tasks.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { cursorOf, pageOf } from '../page.ts';
import { ApiError } from '../problem.ts';
import { json, problems } from '../responses.ts';
import { keyHeaders, pageQuery } from '../schemas.ts';
import { submitTask, submitTaskRuns } from '../submit-task.ts';
import { messageList, newTaskBody, taskList, taskRunsBody, taskView, taskWithRuns } from '../task-schemas.ts';
import { toRunView } from '../view.ts';
import { headersOf } from './created.ts';

const byId = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) });
const missing = problems('No such task.');

const create = createRoute({
  method: 'post',
  path: '/v1/tasks',
  summary: 'Create a task, and a run for each of its agents',
  description: 'Task and runs are made together under one Idempotency-Key: all of them, or none.',
  request: { headers: keyHeaders, body: { required: true, content: json(newTaskBody) } },
  responses: {
    201: { description: 'Created.', content: json(taskWithRuns) },
    400: problems('The JSON, or the key, is missing or malformed.'),
    409: problems('The key was used before; `taskId` and `runIds` name what it made.'),
    422: problems('The request cannot be carried out as it stands, or the key was used with another body.'),
    429: problems('As many runs of the tenant wait as it may have.'),
  },
});

const run = createRoute({
  method: 'post',
  path: '/v1/tasks/{id}/runs',
  summary: 'Let further agents try a task',
  description:
    'Without an Idempotency-Key the task and the fingerprint of the body are the key: the same request twice is refused with 409.',
  request: { params: byId, headers: keyHeaders, body: { required: true, content: json(taskRunsBody) } },
  responses: {
    202: { description: 'Accepted.', content: json(taskWithRuns) },
    404: missing,
    409: problems('The same was asked for before; `runIds` names the runs.'),
    422: problems('The request cannot be carried out as it stands.'),
    429: problems('As many runs of the tenant wait as it may have.'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/tasks',
  summary: 'List tasks, newest first',
  request: { query: pageQuery },
  responses: { 200: { description: 'A page.', content: json(taskList) }, 422: problems('A parameter is not valid.') },
});

const get = createRoute({
  method: 'get',
  path: '/v1/tasks/{id}',
  summary: 'One task; GET /v1/runs?task={id} lists its runs',
  request: { params: byId },
  responses: { 200: { description: 'The task.', content: json(taskView) }, 404: missing },
});

const messages = createRoute({
  method: 'get',
  path: '/v1/tasks/{id}/messages',
  summary: 'What was said in a task: prompts, and what agents answered in the end',
  request: { params: byId, query: pageQuery },
  responses: { 200: { description: 'Messages, oldest first.', content: json(messageList) }, 404: missing },
});

export function addTaskRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(create, async (c) => {
    const headers = headersOf(c, callerWith(c, 'runs:write'), c.req.valid('header'));
    const { task, runs, replayed } = await submitTask(context, headers, c.req.valid('json'));
    c.header('location', `/v1/tasks/${task.id}`);
    if (replayed) c.header('idempotent-replayed', 'true');
    return c.json({ task: toView(task), runs: runs.map(toRunView) }, 201);
  });

  app.openapi(run, async (c) => {
    const caller = callerWith(c, 'runs:write');
    const task = await findTask(context, caller.tenantId, c.req.valid('param').id);
    const headers = headersOf(c, caller, c.req.valid('header'));
    const { runs, replayed } = await submitTaskRuns(context, headers, task, c.req.valid('json'));
    if (replayed) c.header('idempotent-replayed', 'true');
    return c.json({ task: toView(task), runs: runs.map(toRunView) }, 202);
  });

  app.openapi(list, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const query = c.req.valid('query');
    const filter = { tenantId, before: cursorOf(query), limit: query.limit + 1 };
    const tasks = await context.read((db) => listTasks(db, filter));
    const { page, next } = pageOf(tasks, query.limit);
    return c.json({ tasks: page.map(toView), next }, 200);
  });

  app.openapi(get, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    return c.json(toView(await findTask(context, tenantId, c.req.valid('param').id)), 200);
  });

  app.openapi(messages, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const task = await findTask(context, tenantId, c.req.valid('param').id);
    const query = c.req.valid('query');
    const { page, next } = pageOf(
      await listMessages(context.db, task.id, cursorOf(query), query.limit + 1),
      query.limit,
    );
    const views = page.map(({ id, author, run_id, body, created_at }) => ({
      id,
      author,
      run: run_id,
      body,
      createdAt: created_at.toISOString(),
    }));
    return c.json({ messages: views, next }, 200);
  });
}

async function findTask({ db }: ApiContext, tenantId: string, id: string): Promise<TaskRow> {
  const task = isId(id) ? await getTask(db, tenantId, id) : undefined;
  if (!task)
    throw new ApiError(404, 'ERR_TASK_NOT_FOUND', `There is no task ${id}; GET /v1/tasks lists those there are.`);
  return task;
}

function toView(row: TaskRow): z.infer<typeof taskView> {
  const { id, repo_url, repo_id, ref, title, prompt, created_at } = row;
  return { id, repo: repo_url, repoId: repo_id, ref, title, prompt, createdAt: created_at.toISOString() };
}
