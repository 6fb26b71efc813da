import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { agentNames } from '../../agents/registry.ts';
import { isId } from '../../ids.ts';
import type { RunWithRepo } from '../../runs/create.ts';
import { runStates } from '../../runs/states.ts';
import { getRun, listRuns, requestCancel } from '../../runs/store.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { cursorOf, pageOf } from '../page.ts';
import { ApiError } from '../problem.ts';
import { json, problems } from '../responses.ts';
import { keyHeaders, newRunBody, pageQuery, runIdParameter, runList, runView } from '../schemas.ts';
import { retryRun, submitRun } from '../submit.ts';
import { toRunView } from '../view.ts';
import { headersOf } from './created.ts';

const create = createRoute({
  method: 'post',
  path: '/v1/runs',
  summary: 'Submit a run',
  description:
    'Accepts a run. The Idempotency-Key makes it safe to send again: the second request with the same key is refused with 409 and the id of the first run, or answered like the first where the header `Prefer: duplicate=replay` asks for it.',
  request: {
    headers: keyHeaders,
    body: { required: true, content: json(newRunBody) },
  },
  responses: {
    202: { description: 'Accepted.', content: json(runView) },
    400: problems('The JSON, or the key, is missing or malformed.'),
    409: problems('The key was used before; `runId` names the run.'),
    422: problems('The request cannot be carried out as it stands, or the key was used with another body.'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/runs',
  summary: 'List runs, newest first',
  request: {
    query: pageQuery.extend({
      state: z.enum(runStates).optional(),
      task: z.uuid().optional().openapi({ description: 'Only runs of this task.' }),
      repo: z.uuid().optional().openapi({ description: 'Only runs on this repository, by its id.' }),
      agent: z.enum(agentNames).optional().openapi({ description: 'Only runs of this type of agent.' }),
    }),
  },
  responses: { 200: { description: 'A page.', content: json(runList) }, 422: problems('A parameter is not valid.') },
});

const get = createRoute({
  method: 'get',
  path: '/v1/runs/{id}',
  summary: 'One run',
  request: { params: runIdParameter },
  responses: { 200: { description: 'The run.', content: json(runView) }, 404: problems('No such run.') },
});

const cancel = createRoute({
  method: 'post',
  path: '/v1/runs/{id}/cancel',
  summary: 'Cancel a run',
  description: 'A run that has not begun ends at once; one that is under way is stopped within two seconds.',
  request: { params: runIdParameter },
  responses: {
    200: { description: 'It is cancelled.', content: json(runView) },
    202: { description: 'Its worker was told.', content: json(runView) },
    404: problems('No such run.'),
    409: problems('It had ended before.'),
  },
});

const retry = createRoute({
  method: 'post',
  path: '/v1/runs/{id}/retry',
  summary: 'Submit a run that failed or was cancelled again',
  description: 'The same repository, ref, agent and options, as a run of its own.',
  request: { params: runIdParameter, headers: keyHeaders },
  responses: {
    202: { description: 'Accepted.', content: json(runView) },
    404: problems('No such run.'),
    409: problems('It has not ended, or it succeeded; or the key was used before.'),
  },
});

export function addRunRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(create, async (c) => {
    const headers = headersOf(c, callerWith(c, 'runs:write'), c.req.valid('header'));
    const { run, replayed } = await submitRun(context, { ...headers, body: c.req.valid('json') });
    c.header('location', `/v1/runs/${run.id}`);
    if (replayed) c.header('idempotent-replayed', 'true');
    return c.json(toRunView(run), 202);
  });

  app.openapi(list, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const query = c.req.valid('query');
    const { state, task, repo, agent, limit } = query;
    const filter = { tenantId, state, taskId: task, repoId: repo, agent, before: cursorOf(query) };
    const { page, next } = pageOf(await context.read((db) => listRuns(db, { ...filter, limit: limit + 1 })), limit);
    return c.json({ runs: page.map(toRunView), next }, 200);
  });

  app.openapi(get, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    return c.json(toRunView(await readRun(context, tenantId, c.req.valid('param').id)), 200);
  });

  app.openapi(cancel, async (c) => {
    const { tenantId } = callerWith(c, 'runs:write');
    const { id } = c.req.valid('param');
    await findRun(context, tenantId, id);
    const outcome = await requestCancel(context.db, tenantId, id);
    context.relay.publish({ kind: 'cancel', runId: id });
    const run = await findRun(context, tenantId, id);
    if (outcome === 'finished') {
      throw new ApiError(409, 'ERR_RUN_FINISHED', `The run already ended as ${run.state}; there is nothing to cancel.`);
    }
    return c.json(toRunView(run), outcome === 'cancelled' ? 200 : 202);
  });

  app.openapi(retry, async (c) => {
    const caller = callerWith(c, 'runs:write');
    const first = await findRun(context, caller.tenantId, c.req.valid('param').id);
    requireEnded(first);
    const { run, replayed } = await retryRun(context, headersOf(c, caller, c.req.valid('header')), first);
    c.header('location', `/v1/runs/${run.id}`);
    if (replayed) c.header('idempotent-replayed', 'true');
    return c.json(toRunView(run), 202);
  });
}

/** A run that is under way would be there twice, and one that succeeded has its branch. */
function requireEnded({ id, state }: RunWithRepo): void {
  if (state === 'failed' || state === 'cancelled') return;
  const detail = `The run ${id} is ${state}; only one that failed or was cancelled can be retried.`;
  throw new ApiError(409, 'ERR_RUN_NOT_FAILED', detail);
}

/** The run of a path parameter as it was a moment ago, and as it is now if it is too new for that. */
export async function readRun(context: ApiContext, tenantId: string, id: string): Promise<RunWithRepo> {
  const run = isId(id) ? await context.read((db) => getRun(db, tenantId, id)) : undefined;
  return run ?? (await findRun(context, tenantId, id));
}

/** The run of a path parameter; everybody else's runs do not exist. */
export async function findRun(context: ApiContext, tenantId: string, id: string): Promise<RunWithRepo> {
  const run = isId(id) ? await getRun(context.db, tenantId, id) : undefined;
  if (!run)
    throw new ApiError(404, 'ERR_RUN_NOT_FOUND', `There is no run ${id}; GET /v1/runs lists the runs there are.`);
  return run;
}
