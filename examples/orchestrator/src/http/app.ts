import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { isLoopback } from '../config.ts';
import type { ApiContext } from './context.ts';
import { asApiError, invalidRequest } from './errors.ts';
import { limitBody, refuseForeignHosts, requireJson } from './guards.ts';
import { ApiError, problemResponse } from './problem.ts';
import { addRunRoutes } from './routes/runs.ts';
import { addStreamRoutes } from './routes/streams.ts';

/** Told about requests that failed for a reason that is ours. */
export type OnInternalError = (error: unknown, path: string) => void;

/** The HTTP API as one fetch handler. */
export function createApp(context: ApiContext, onInternalError: OnInternalError): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.target, result.error);
    },
  });
  if (isLoopback(context.config.host)) app.use(refuseForeignHosts());
  app.use(limitBody(context.config.bodyLimit), requireJson());
  addRunRoutes(app, context);
  addStreamRoutes(app, context);
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Millrace orchestrator',
      version: '1',
      description: 'Runs of coding agents, from request to branch.',
    },
  });
  app.notFound((c) => {
    const detail = `Nothing answers ${c.req.method} ${c.req.path}; /openapi.json lists what does.`;
    return problemResponse(new ApiError(404, 'ERR_NOT_FOUND', detail));
  });
  app.onError((error, c) => {
    const known = error instanceof HTTPException ? malformed(error) : asApiError(error);
    if (known.status >= 500) onInternalError(error, c.req.path);
    return problemResponse(known);
  });
  return app;
}

/** The framework itself throws only for a body that it could not parse. */
function malformed(error: HTTPException): ApiError {
  return new ApiError(400, 'ERR_MALFORMED_JSON', 'The body is not valid JSON.', { cause: error });
}
