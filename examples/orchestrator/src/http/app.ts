import { OpenAPIHono } from '@hono/zod-openapi';
import { operationPaths } from '@millrace/observability';
import { HTTPException } from 'hono/http-exception';
import { type Config, isLoopback } from '../config.ts';
import { type ApiEnv, authenticate } from './authenticate.ts';
import type { ApiContext } from './context.ts';
import { asApiError, invalidRequest } from './errors.ts';
import { limitBody, refuseForeignHosts, requireJson } from './guards.ts';
import { ApiError, problemResponse } from './problem.ts';
import { addArtifactRoutes } from './routes/artifacts.ts';
import { addOperationRoutes } from './routes/operations.ts';
import { addRepoRoutes } from './routes/repos.ts';
import { addRunRoutes } from './routes/runs.ts';
import { addStreamRoutes } from './routes/streams.ts';
import { addTaskRoutes } from './routes/tasks.ts';
import { addTenantRoutes } from './routes/tenants.ts';
import { addWorkerRoutes } from './routes/workers.ts';

export interface AppOptions {
  readonly config: Pick<Config, 'host' | 'bodyLimit'>;
  /** Absent in processes that do not play the role `api`: they serve metrics and health only. */
  readonly api?: ApiContext;
  /** Answers agents that call a model. */
  readonly gateway?: (request: Request) => Promise<Response | undefined>;
  /** Takes deliveries of the forge. */
  readonly webhook?: (request: Request) => Promise<Response>;
  /** Answers the paths of metrics and health. */
  readonly operations: (request: Request) => Response | Promise<Response>;
  /** Told about requests that failed for a reason that is ours. */
  readonly onInternalError: (error: unknown) => void;
}

/** The HTTP side of a process as one fetch handler. */
export function createApp(options: AppOptions): OpenAPIHono<ApiEnv> {
  const { config, api } = options;
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.target, result.error);
    },
  });
  if (isLoopback(config.host)) app.use(refuseForeignHosts());
  const { gateway, webhook } = options;
  // Both have limits of their own: a conversation with a model, and a delivery of the forge, may be large.
  if (gateway) app.all('/gateway/*', async (c) => (await gateway(c.req.raw)) ?? c.notFound());
  if (webhook) app.post('/webhooks/github', (c) => webhook(c.req.raw));
  app.use(limitBody(config.bodyLimit), requireJson());
  for (const path of operationPaths) app.get(path, (c) => options.operations(c.req.raw));
  if (api) addApi(app, api);
  app.notFound((c) => {
    const detail = `Nothing answers ${c.req.method} ${c.req.path}; /openapi.json lists what does.`;
    return problemResponse(new ApiError(404, 'ERR_NOT_FOUND', detail));
  });
  app.onError((error) => {
    const known = error instanceof HTTPException ? malformed(error) : asApiError(error);
    if (known.status >= 500) options.onInternalError(error);
    return problemResponse(known);
  });
  return app;
}

function addApi(app: OpenAPIHono<ApiEnv>, api: ApiContext): void {
  app.use('/v1/*', authenticate(api.config, api.db));
  addRoutes(app, api);
  app.doc31('/openapi.json', documentHead);
}

function addRoutes(app: OpenAPIHono<ApiEnv>, api: ApiContext): void {
  addRunRoutes(app, api);
  addTaskRoutes(app, api);
  addRepoRoutes(app, api);
  addStreamRoutes(app, api);
  addArtifactRoutes(app, api);
  addOperationRoutes(app, api);
  addWorkerRoutes(app, api);
  addTenantRoutes(app, api);
}

const documentHead = {
  openapi: '3.1.0',
  info: {
    title: 'Millrace orchestrator',
    version: '1',
    description: 'Runs of coding agents, from request to branch.',
  },
};

/** The OpenAPI document without a server: what clients are generated from. */
export function describeApi(): object {
  const app = new OpenAPIHono<ApiEnv>();
  // Routes take their context apart when they are added and use it when they are called, which never happens here.
  addRoutes(app, {} as ApiContext);
  return app.getOpenAPI31Document(documentHead);
}

/** The framework itself throws only for a body that it could not parse. */
function malformed(error: HTTPException): ApiError {
  return new ApiError(400, 'ERR_MALFORMED_JSON', 'The body is not valid JSON.', { cause: error });
}
