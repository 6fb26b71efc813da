import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Selectable } from 'kysely';
import type { WorkersTable } from '../../db/schema.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { ApiError } from '../problem.ts';
import { json, problems } from '../responses.ts';

const workerView = z
  .object({
    id: z.string(),
    host: z.string(),
    pid: z.int(),
    slots: z.int(),
    busy: z.int(),
    draining: z.boolean().openapi({ description: 'It begins nothing new; once `busy` is 0 it can be taken away.' }),
    heartbeatAt: z.iso.datetime(),
  })
  .openapi('Worker');

const list = createRoute({
  method: 'get',
  path: '/v1/workers',
  summary: 'The workers that live',
  responses: {
    200: { description: 'Workers.', content: json(z.object({ workers: z.array(workerView) })) },
    403: problems('Needs scope admin.'),
  },
});

const byId = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) });
const answers = {
  200: { description: 'The worker.', content: json(workerView) },
  403: problems('Needs scope admin.'),
  404: problems('No such worker.'),
};

const drain = createRoute({
  method: 'post',
  path: '/v1/workers/{id}/drain',
  summary: 'Let a worker begin nothing new',
  description: 'What it has goes on to its end. Ended by DELETE, or with its process.',
  request: { params: byId },
  responses: answers,
});

const resume = createRoute({
  method: 'delete',
  path: '/v1/workers/{id}/drain',
  summary: 'Let a draining worker begin runs again',
  request: { params: byId },
  responses: answers,
});

export function addWorkerRoutes(app: OpenAPIHono<ApiEnv>, { db, relay }: ApiContext): void {
  const setDraining = async (id: string, draining: boolean) => {
    const worker = await db
      .updateTable('workers')
      .set({ draining })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
    if (!worker) {
      throw new ApiError(
        404,
        'ERR_WORKER_NOT_FOUND',
        `There is no worker ${id}; GET /v1/workers lists those that live.`,
      );
    }
    relay.publish({ kind: 'drain', runId: id });
    return toView(worker);
  };

  app.openapi(list, async (c) => {
    callerWith(c, 'admin');
    const rows = await db.selectFrom('workers').selectAll().orderBy('id').execute();
    return c.json({ workers: rows.map(toView) }, 200);
  });

  app.openapi(drain, async (c) => {
    callerWith(c, 'admin');
    return c.json(await setDraining(c.req.valid('param').id, true), 200);
  });

  app.openapi(resume, async (c) => {
    callerWith(c, 'admin');
    return c.json(await setDraining(c.req.valid('param').id, false), 200);
  });
}

function toView(row: Selectable<WorkersTable>): z.infer<typeof workerView> {
  const { id, host, pid, slots, busy, draining, heartbeat_at } = row;
  return { id, host, pid, slots, busy, draining, heartbeatAt: heartbeat_at.toISOString() };
}
