import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { isId } from '../../ids.ts';
import { ensureRepo, getRepo, listRepos, type RepoRow } from '../../repos/repos.ts';
import { getTenant } from '../../tenants/tenants.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { cursorOf, pageOf } from '../page.ts';
import { ApiError } from '../problem.ts';
import { checkRepo } from '../repo-access.ts';
import { json, problems } from '../responses.ts';
import { pageQuery, repoFields } from '../schemas.ts';

const repoView = z
  .object({
    id: z.uuid(),
    url: z.string(),
    forge: z.string().nullable().openapi({ description: 'Known once a pull request was opened.' }),
    createdAt: z.iso.datetime(),
  })
  .openapi('Repo');

const add = createRoute({
  method: 'post',
  path: '/v1/repos',
  summary: 'Name a repository, checked to be there',
  description: 'Naming one twice changes nothing. Runs and tasks name theirs by themselves.',
  request: {
    body: { required: true, content: json(z.strictObject({ url: repoFields.repo }).openapi('NewRepo')) },
  },
  responses: {
    200: { description: 'The repository.', content: json(repoView) },
    422: problems('There is no such repository, or this server may not use it.'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/repos',
  summary: 'List repositories, in the order in which they were named',
  request: { query: pageQuery },
  responses: {
    200: {
      description: 'A page.',
      content: json(z.object({ repos: z.array(repoView), next: z.string().nullable() }).openapi('RepoList')),
    },
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/repos/{id}',
  summary: 'One repository; GET /v1/runs?repo={id} lists its runs',
  request: { params: z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) }) },
  responses: { 200: { description: 'The repository.', content: json(repoView) }, 404: problems('No such repository.') },
});

export function addRepoRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(add, async (c) => {
    const { tenantId } = callerWith(c, 'runs:write');
    const { url } = c.req.valid('json');
    await checkRepo(context, await getTenant(context.db, tenantId), url, 'HEAD');
    const id = await ensureRepo(context.db, tenantId, url);
    return c.json(toView(await findRepo(context, tenantId, id)), 200);
  });

  app.openapi(list, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const query = c.req.valid('query');
    const found = await listRepos(context.db, tenantId, cursorOf(query), query.limit + 1);
    const { page, next } = pageOf(found, query.limit);
    return c.json({ repos: page.map(toView), next }, 200);
  });

  app.openapi(get, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    return c.json(toView(await findRepo(context, tenantId, c.req.valid('param').id)), 200);
  });
}

async function findRepo({ db }: ApiContext, tenantId: string, id: string): Promise<RepoRow> {
  const repo = isId(id) ? await getRepo(db, tenantId, id) : undefined;
  if (!repo) throw new ApiError(404, 'ERR_REPO_UNKNOWN', `There is no repository ${id}; GET /v1/repos lists them.`);
  return repo;
}

function toView({ id, url, forge, created_at }: RepoRow): z.infer<typeof repoView> {
  return { id, url, forge, createdAt: created_at.toISOString() };
}
