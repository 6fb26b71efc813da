import type { IncomingMessage } from 'node:http';
import type { Observability } from '@millrace/observability';
import { context, propagation, type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';

type Handle = (request: Request, env: { readonly incoming: IncomingMessage }) => Response | Promise<Response>;

const ids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** Requests that are not worth a span each: probes, scrapes, and the gateway, whose calls have spans of their own. */
const silent = /^\/(metrics|livez|readyz|startupz|gateway\/)/;

/**
 * Gives each request of the API a span, and the run that it is about to it. What is behind reads the span as the request's
 * `traceparent`, so that a run's trace begins here; without an OpenTelemetry SDK nothing is made or changed.
 */
export function traceRequests({ tracer }: Observability, handle: Handle): Handle {
  return (request, env) => {
    const { pathname } = new URL(request.url);
    if (silent.test(pathname)) return handle(request, env);
    const { headers } = env.incoming;
    const parent = propagation.extract(context.active(), headers);
    const name = `${request.method} ${pathname.replace(ids, '{id}')}`;
    const attributes = { 'http.request.method': request.method, 'url.path': pathname };
    return tracer.startActiveSpan(name, { kind: SpanKind.SERVER, attributes }, parent, async (span) => {
      try {
        if (!span.isRecording()) return await handle(request, env);
        passOn(env.incoming);
        const response = await handle(request, env);
        describe(span, pathname, response);
        return response;
      } finally {
        span.end();
      }
    });
  };
}

/** Puts the active span where the framework, which reads headers only when somebody asks, will find it. */
function passOn({ rawHeaders }: IncomingMessage): void {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const { traceparent } = carrier;
  if (traceparent === undefined) return;
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'traceparent');
  if (at < 0) rawHeaders.push('traceparent', traceparent);
  else rawHeaders[at + 1] = traceparent;
}

function describe(span: Span, pathname: string, { status, headers }: Response): void {
  const runId = ids.exec(headers.get('location') ?? pathname)?.[0];
  span.setAttributes({ 'http.response.status_code': status, ...(runId !== undefined && { 'millrace.run.id': runId }) });
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}
