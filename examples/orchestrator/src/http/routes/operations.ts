import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { explainRun } from '../../runs/why.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { json, problems } from '../responses.ts';
import { runIdParameter } from '../schemas.ts';
import { findRun } from './runs.ts';

const why = createRoute({
  method: 'get',
  path: '/v1/runs/{id}/why',
  summary: 'What a run is waiting for',
  request: { params: runIdParameter },
  responses: {
    200: {
      description: 'The reason, and until when it holds.',
      content: json(
        z.object({ reason: z.string(), detail: z.string(), until: z.iso.datetime().nullable() }).openapi('Why'),
      ),
    },
    404: problems('No such run.'),
  },
});

const queue = createRoute({
  method: 'get',
  path: '/v1/queue',
  summary: 'How full the queue is',
  responses: {
    200: {
      description: 'Jobs by state.',
      content: json(
        z
          .object({
            ready: z.int(),
            delayed: z.int(),
            leased: z.int(),
            dead: z.int(),
            oldestReadyAge: z.number().openapi({ description: 'Milliseconds.' }),
          })
          .openapi('QueueView'),
      ),
    },
    403: problems('Needs scope admin.'),
  },
});

/** Views for people who look after the whole, or ask why nothing happens. */
export function addOperationRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(why, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const run = await findRun(context, tenantId, c.req.valid('param').id);
    const { until, ...answer } = await explainRun(context.queue, run);
    return c.json({ ...answer, until: until?.toISOString() ?? null }, 200);
  });

  app.openapi(queue, async (c) => {
    callerWith(c, 'admin');
    const { ready, delayed, leased, dead, oldestReadyAge } = await context.queue.inspect.counts();
    return c.json({ ready, delayed, leased, dead, oldestReadyAge }, 200);
  });
}
