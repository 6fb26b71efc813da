import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Cursor, parseCursor, startCursor } from '../../events/cursor.ts';
import { readNews } from '../../events/read.ts';
import { streamEvents } from '../../events/sse.ts';
import { readLogChunks } from '../../logs/reader.ts';
import { isTerminal } from '../../runs/states.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { ApiError } from '../problem.ts';
import { problems } from '../responses.ts';
import { logPage, runIdParameter } from '../schemas.ts';
import { findRun, readRun } from './runs.ts';

const logs = createRoute({
  method: 'get',
  path: '/v1/runs/{id}/logs',
  summary: 'Log lines, oldest first',
  request: {
    params: runIdParameter,
    query: z.object({
      after: z.coerce.number().int().min(0).default(0).openapi({ description: 'Lines after this one.' }),
    }),
  },
  responses: {
    200: { description: 'A page.', content: { 'application/json': { schema: logPage } } },
    404: problems('No such run.'),
  },
});

const events = createRoute({
  method: 'get',
  path: '/v1/runs/{id}/events',
  summary: 'Live events of a run (server-sent events)',
  description:
    'Events `state` and `log` from the beginning, or after `Last-Event-ID`, on any API process, nothing missing and nothing twice. The stream ends with the run; a client that connects again after the end gets 204.',
  request: {
    params: runIdParameter,
    headers: z.object({ 'last-event-id': z.string().optional() }),
  },
  responses: {
    200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
    204: { description: 'The run has ended and everything was told.' },
    400: problems('Last-Event-ID is not one of this API.'),
    404: problems('No such run.'),
  },
});

export function addStreamRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(logs, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const run = await readRun(context, tenantId, c.req.valid('param').id);
    const { after } = c.req.valid('query');
    const { objects } = context;
    const chunks = await context.read((db) => readLogChunks({ db, objects }, run.id, after));
    const lines = chunks.flatMap((chunk) => chunk.lines);
    return c.json({ lines, next: lines.at(-1)?.seq ?? after }, 200);
  });

  app.openapi(events, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const run = await findRun(context, tenantId, c.req.valid('param').id);
    const after = cursorOf(c.req.valid('header')['last-event-id']);
    if (isTerminal(run.state) && (await readNews(context, run.id, after)).length === 0) return c.body(null, 204);
    const onEnd = context.streams.enter(tenantId);
    streamEvents(c.env.outgoing, { hub: context.hub, runId: run.id, after, onEnd });
    return RESPONSE_ALREADY_SENT;
  });
}

function cursorOf(text: string | undefined): Cursor {
  const cursor = text === undefined || text === '' ? startCursor : parseCursor(text);
  if (cursor) return cursor;
  throw new ApiError(400, 'ERR_INVALID_CURSOR', 'Last-Event-ID is not one that this API sent; connect without it.');
}
