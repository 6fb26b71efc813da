import { Readable } from 'node:stream';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ArtifactRow } from '../../db/schema.ts';
import { isTerminal } from '../../runs/states.ts';
import { type ApiEnv, callerWith } from '../authenticate.ts';
import type { ApiContext } from '../context.ts';
import { ApiError } from '../problem.ts';
import { json, problems } from '../responses.ts';
import { runIdParameter } from '../schemas.ts';
import { findRun } from './runs.ts';

const diff = createRoute({
  method: 'get',
  path: '/v1/runs/{id}/diff',
  summary: 'What the agent changed, as a patch for `git apply`',
  request: { params: runIdParameter },
  responses: {
    200: { description: 'The patch; empty when nothing changed.', content: { 'text/x-diff': { schema: z.string() } } },
    404: problems('No such run, or it has no diff (yet).'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/runs/{id}/artifacts',
  summary: 'What is kept of a run',
  request: { params: runIdParameter },
  responses: {
    200: {
      description:
        'Artifacts by kind: `diff` (a patch), `bundle` (the commit, for `git fetch`), `session` (what the agent remembers), `log` (archived).',
      content: json(
        z
          .object({
            artifacts: z.array(
              z.object({ kind: z.string(), size: z.int(), sha256: z.string(), createdAt: z.iso.datetime() }),
            ),
          })
          .openapi('ArtifactList'),
      ),
    },
    404: problems('No such run.'),
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/runs/{id}/artifacts/{kind}',
  summary: 'One artifact',
  request: { params: runIdParameter.extend({ kind: z.string().openapi({ param: { name: 'kind', in: 'path' } }) }) },
  responses: {
    200: { description: 'Its bytes.', content: { 'application/octet-stream': { schema: z.string() } } },
    404: problems('No such run, or it has no such artifact.'),
  },
});

export function addArtifactRoutes(app: OpenAPIHono<ApiEnv>, context: ApiContext): void {
  app.openapi(diff, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const run = await findRun(context, tenantId, c.req.valid('param').id);
    const artifact = await findArtifact(context, run.id, 'diff');
    if (!artifact) throw noDiff(run.id, isTerminal(run.state));
    return c.body(await read(context, artifact), 200, headersFor(artifact, 'text/x-diff; charset=utf-8'));
  });

  app.openapi(list, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const run = await findRun(context, tenantId, c.req.valid('param').id);
    const rows = await context.db
      .selectFrom('artifacts')
      .selectAll()
      .where('run_id', '=', run.id)
      .orderBy('kind')
      .execute();
    const artifacts = rows.map(({ kind, size, sha256, created_at }) => ({
      kind,
      size: Number(size),
      sha256,
      createdAt: created_at.toISOString(),
    }));
    return c.json({ artifacts }, 200);
  });

  app.openapi(get, async (c) => {
    const { tenantId } = callerWith(c, 'runs:read');
    const { id, kind } = c.req.valid('param');
    const run = await findRun(context, tenantId, id);
    const artifact = await findArtifact(context, run.id, kind);
    if (!artifact) throw new ApiError(404, 'ERR_ARTIFACT_NOT_FOUND', `The run ${id} has no artifact ${kind}.`);
    return c.body(await read(context, artifact), 200, headersFor(artifact, 'application/octet-stream'));
  });
}

async function findArtifact({ db }: ApiContext, runId: string, kind: string): Promise<ArtifactRow | undefined> {
  return await db
    .selectFrom('artifacts')
    .selectAll()
    .where('run_id', '=', runId)
    .where('kind', '=', kind)
    .executeTakeFirst();
}

async function read({ objects }: ApiContext, { object_key }: ArtifactRow): Promise<ReadableStream<Uint8Array>> {
  return Readable.toWeb(await objects.get(object_key)) as ReadableStream<Uint8Array>;
}

/** What an agent made is never to be run by a browser that opens it. */
function headersFor({ size, sha256 }: ArtifactRow, type: string): Record<string, string> {
  return { 'content-type': type, 'content-length': size, etag: `"${sha256}"`, 'x-content-type-options': 'nosniff' };
}

function noDiff(runId: string, ended: boolean): ApiError {
  const cure = ended ? 'It ended before there was one.' : 'Wait until it is pushing or later.';
  return new ApiError(404, 'ERR_DIFF_NOT_FOUND', `The run ${runId} has no diff. ${cure}`);
}
