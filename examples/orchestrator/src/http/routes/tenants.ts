import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { isId } from '../../ids.ts';
import { createKey, listKeys, revokeKey } from '../../tenants/keys.ts';
import { type Principal, scopes } from '../../tenants/principal.ts';
import { getTenant, putTenant, type TenantRow, usageOf } from '../../tenants/tenants.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { ApiError } from '../problem.ts';
import { json, problems } from '../responses.ts';

const tenantId = z.string().regex(/^[\w.-]{1,100}$/, { error: 'may have letters, digits, ".", "_" and "-"' });
const byId = z.object({ tenant: tenantId.openapi({ param: { name: 'tenant', in: 'path' } }) });
const bound = (description: string) => z.int().min(0).nullable().default(null).openapi({ description });

const settings = z
  .strictObject({
    weight: z.int().min(1).max(1000).default(1).openapi({ description: 'Share of the workers relative to others.' }),
    maxConcurrency: z.int().min(1).nullable().default(null).openapi({ description: 'Runs at a time; null: no bound.' }),
    maxQueued: bound('Runs that may wait; more are refused with 429.'),
    monthlyBudgetMicroUsd: bound('What its agents may spend in a calendar month (UTC).'),
    repos: z.array(z.string().min(1).max(4096)).max(1000).nullable().default(null).openapi({
      description: 'Addresses its runs may use, and all below them, such as https://github.com/acme; null: any.',
    }),
  })
  .openapi('TenantSettings');

const tenantView = z
  .object({
    id: z.string(),
    weight: z.int(),
    maxConcurrency: z.int().nullable(),
    maxQueued: z.int().nullable(),
    monthlyBudgetMicroUsd: z.int().nullable(),
    repos: z.array(z.string()).nullable(),
  })
  .openapi('Tenant');

const usageView = z
  .object({
    since: z.iso.datetime(),
    inputTokens: z.int(),
    outputTokens: z.int(),
    costMicroUsd: z.int(),
    runs: z.record(z.string(), z.int()).openapi({ description: 'Runs of this month by state.' }),
  })
  .openapi('Usage');

const keyView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    scopes: z.array(z.enum(scopes)),
    createdAt: z.iso.datetime(),
    revokedAt: z.iso.datetime().nullable(),
  })
  .openapi('ApiKey');

const missing = problems('No such tenant.');

const put = createRoute({
  method: 'put',
  path: '/v1/tenants/{tenant}',
  summary: 'Create a tenant, or change what it may use',
  request: { params: byId, body: { required: true, content: json(settings) } },
  responses: { 200: { description: 'The tenant.', content: json(tenantView) }, 403: problems('Needs scope admin.') },
});

const get = createRoute({
  method: 'get',
  path: '/v1/tenants/{tenant}',
  summary: 'What a tenant may use',
  request: { params: byId },
  responses: { 200: { description: 'The tenant.', content: json(tenantView) }, 404: missing },
});

const usage = createRoute({
  method: 'get',
  path: '/v1/tenants/{tenant}/usage',
  summary: 'What a tenant used this month',
  request: { params: byId },
  responses: { 200: { description: 'Its usage.', content: json(usageView) }, 404: missing },
});

const addKey = createRoute({
  method: 'post',
  path: '/v1/tenants/{tenant}/keys',
  summary: 'Make an API key; its text is shown only in this answer',
  request: {
    params: byId,
    body: {
      required: true,
      content: json(
        z
          .strictObject({ name: z.string().min(1).max(200), scopes: z.array(z.enum(scopes)).min(1) })
          .openapi('NewApiKey'),
      ),
    },
  },
  responses: {
    201: { description: 'The key.', content: json(z.object({ id: z.uuid(), key: z.string() })) },
    404: missing,
  },
});

const keys = createRoute({
  method: 'get',
  path: '/v1/tenants/{tenant}/keys',
  summary: 'API keys of a tenant',
  request: { params: byId },
  responses: { 200: { description: 'The keys.', content: json(z.object({ keys: z.array(keyView) })) }, 404: missing },
});

const revoke = createRoute({
  method: 'delete',
  path: '/v1/tenants/{tenant}/keys/{id}',
  summary: 'Revoke an API key',
  request: { params: byId.extend({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) }) },
  responses: { 204: { description: 'It is worth nothing from now on.' }, 404: problems('No such key.') },
});

export function addTenantRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  const { db, queue } = context;

  app.openapi(put, async (c) => {
    callerWith(c, 'admin');
    return c.json(toView(await putTenant(db, queue, c.req.valid('param').tenant, c.req.valid('json'))), 200);
  });

  app.openapi(get, async (c) => {
    const { tenant } = c.req.valid('param');
    requireOwn(callerWith(c, 'runs:read'), tenant);
    return c.json(toView(await findTenant(context, tenant)), 200);
  });

  app.openapi(usage, async (c) => {
    const { tenant } = c.req.valid('param');
    requireOwn(callerWith(c, 'runs:read'), tenant);
    await findTenant(context, tenant);
    const { since, ...counts } = await usageOf(db, tenant);
    return c.json({ since: since.toISOString(), ...counts }, 200);
  });

  app.openapi(addKey, async (c) => {
    callerWith(c, 'admin');
    const { tenant } = c.req.valid('param');
    await findTenant(context, tenant);
    return c.json(await createKey(db, { tenantId: tenant, ...c.req.valid('json') }), 201);
  });

  app.openapi(keys, async (c) => {
    callerWith(c, 'admin');
    const { tenant } = c.req.valid('param');
    await findTenant(context, tenant);
    const views = (await listKeys(db, tenant)).map(({ createdAt, revokedAt, ...view }) => ({
      ...view,
      scopes: [...view.scopes],
      createdAt: createdAt.toISOString(),
      revokedAt: revokedAt?.toISOString() ?? null,
    }));
    return c.json({ keys: views }, 200);
  });

  app.openapi(revoke, async (c) => {
    callerWith(c, 'admin');
    const { tenant, id } = c.req.valid('param');
    if (isId(id) && (await revokeKey(db, tenant, id))) return c.body(null, 204);
    throw new ApiError(404, 'ERR_KEY_NOT_FOUND', `The tenant ${tenant} has no key ${id}.`);
  });
}

/** Other tenants do not exist for whoever is no administrator. */
function requireOwn(caller: Principal, tenant: string): void {
  if (caller.tenantId !== tenant && !caller.scopes.includes('admin')) throw noTenant(tenant);
}

async function findTenant({ db }: ApiContext, id: string): Promise<TenantRow> {
  const tenant = await getTenant(db, id);
  if (!tenant) throw noTenant(id);
  return tenant;
}

function noTenant(id: string): ApiError {
  return new ApiError(404, 'ERR_TENANT_NOT_FOUND', `There is no tenant ${id}; an administrator makes one with PUT.`);
}

function toView(row: TenantRow): z.infer<typeof tenantView> {
  return {
    id: row.id,
    weight: row.weight,
    maxConcurrency: row.max_concurrency,
    maxQueued: row.max_queued,
    monthlyBudgetMicroUsd: row.monthly_budget_microusd === null ? null : Number(row.monthly_budget_microusd),
    repos: row.repos,
  };
}
