import type { Health, HealthReport, Probe } from './health/health.ts';
import { contentTypes, type ExpositionFormat } from './metrics/exposition.ts';

/** Paths that {@link Observability.fetchHandler} answers. */
export const operationPaths: readonly string[] = ['/metrics', '/livez', '/readyz', '/startupz'];

const probes: Readonly<Record<string, Probe>> = { '/livez': 'live', '/readyz': 'ready', '/startupz': 'startup' };

/** Creates the Fetch handler of `/metrics` and the three probes; anything else is 404. */
export function createFetchHandler(
  render: (format: ExpositionFormat) => Promise<string>,
  health: Health,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (!operationPaths.includes(pathname)) return problem(404, 'Not found', `Here are ${operationPaths.join(', ')}.`);
    if (request.method !== 'GET' && request.method !== 'HEAD') return problem(405, 'Method not allowed', 'Use GET.');
    const probe = probes[pathname];
    const response = probe === undefined ? await metrics(request, render) : healthResponse(await health.report(probe));
    return request.method === 'HEAD' ? new Response(null, response) : response;
  };
}

async function metrics(request: Request, render: (format: ExpositionFormat) => Promise<string>): Promise<Response> {
  const wantsOpenMetrics = request.headers.get('accept')?.includes('application/openmetrics-text') ?? false;
  const format = wantsOpenMetrics ? 'openmetrics' : 'text';
  return new Response(await render(format), {
    headers: { 'content-type': contentTypes[format], 'cache-control': 'no-store', vary: 'accept' },
  });
}

function healthResponse({ ok, checks }: HealthReport): Response {
  const reasons = Object.entries(checks)
    .filter(([, check]) => !check.ok)
    .map(([name, { reason = 'not well' }]) => `${name}: ${reason}`);
  return Response.json(
    { status: ok ? 'ok' : 'unavailable', reasons, checks },
    { status: ok ? 200 : 503, headers: { 'cache-control': 'no-store' } },
  );
}

function problem(status: number, title: string, detail: string): Response {
  const headers = { 'content-type': 'application/problem+json', ...(status === 405 && { allow: 'GET, HEAD' }) };
  return new Response(JSON.stringify({ type: 'about:blank', status, title, detail }), { status, headers });
}
