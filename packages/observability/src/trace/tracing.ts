import { setImmediate } from 'node:timers';
import {
  type Attributes,
  context,
  type Link,
  type Context as OtelContext,
  type SpanOptions as OtelSpanOptions,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { attributesOf, type Context } from '../context.ts';
import { errorClass, errorCode } from '../error-class.ts';
import { redact } from '../log/redact.ts';
import { parseTraceparent } from './traceparent.ts';

/** How a span is made. */
export interface SpanOptions {
  readonly kind?: 'internal' | 'client' | 'server' | 'producer' | 'consumer';
  readonly attributes?: Attributes;
  /** Spans of other traces that this one has to do with, as `traceparent`s. */
  readonly links?: readonly (string | undefined)[];
  /** Begin a new trace, whatever is active. */
  readonly root?: boolean;
  /** `traceparent` of the parent, where it is not the active span. */
  readonly parent?: string | undefined;
}

/** Spans of the OpenTelemetry SDK that the service has set up; without one nothing is made. */
export interface Tracing {
  /** Whether an SDK is there: asked for each span, since it may come late. */
  enabled(): boolean;
  /** A tracer whose spans carry the fields of the context (`millrace.run.id` …). */
  readonly tracer: Tracer;
  /** Runs `fn` in a span and ends it; an error is recorded on it and passes through. `fn` gets undefined without an SDK. */
  span<T>(name: string, options: SpanOptions, fn: (span: Span | undefined) => Promise<T>): Promise<T>;
}

const kinds: Readonly<Record<NonNullable<SpanOptions['kind']>, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Creates the tracing of a service. */
export function createTracing(version: string, fields: Context): Tracing {
  const bare = trace.getTracer('@millrace/observability', version);
  const tracer = withFields(bare, fields);

  const span: Tracing['span'] = (name, options, fn) => {
    if (!isTracing()) return fn(undefined);
    const parent = parseTraceparent(options.parent);
    const base = parent === undefined ? context.active() : trace.setSpanContext(context.active(), parent);
    const { kind = 'internal', root = false, attributes = {} } = options;
    const links = linksOf(options.links);
    return tracer.startActiveSpan(name, { kind: kinds[kind], root, attributes, links }, base, async (made) => {
      try {
        return await fn(made);
      } catch (error) {
        recordError(made, error);
        throw error;
      } finally {
        made.end();
      }
    });
  };
  return { tracer, span, enabled: isTracing };
}

let isTracingNow: boolean | undefined;

/** Answered once per turn of the event loop: asking the API costs a job in memory one percent of its time. */
function isTracing(): boolean {
  if (isTracingNow === undefined) {
    isTracingNow = hasSdk();
    setImmediate(forgetAnswer);
  }
  return isTracingNow;
}

function forgetAnswer(): void {
  isTracingNow = undefined;
}

/** The API answers a proxy until an SDK has been set up; the proxy has a tracer to hand on only afterwards. */
function hasSdk(): boolean {
  const provider: TracerProvider & { getDelegateTracer?: (name: string) => Tracer | undefined } =
    trace.getTracerProvider();
  return (
    provider.getDelegateTracer === undefined || provider.getDelegateTracer('@millrace/observability') !== undefined
  );
}

function linksOf(traceparents: readonly (string | undefined)[] = []): Link[] {
  return traceparents.flatMap((text) => {
    const spanContext = parseTraceparent(text);
    return spanContext === undefined ? [] : [{ context: spanContext }];
  });
}

function recordError(span: Span, error: unknown): void {
  const message = redact(error instanceof Error ? error.message : String(error));
  const code = errorCode(error);
  span.setAttributes({ 'error.type': code, 'millrace.error.class': errorClass(code) });
  span.addEvent('exception', { 'exception.type': code, 'exception.message': message });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** A tracer that adds the fields of the running work to each span, so that one query by run id finds all of them. */
function withFields(bare: Tracer, fields: Context): Tracer {
  const startSpan: Tracer['startSpan'] = (name, options = {}, parent = context.active()) =>
    bare.startSpan(name, { ...options, attributes: { ...attributesOf(fields.get()), ...options.attributes } }, parent);
  const startActiveSpan = (name: string, ...rest: readonly unknown[]): unknown => {
    const fn = rest.at(-1) as (span: Span) => unknown;
    const [options, parent = context.active()] = rest.slice(0, -1) as [OtelSpanOptions?, OtelContext?];
    const made = startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, made), () => fn(made));
  };
  return { startSpan, startActiveSpan: startActiveSpan as Tracer['startActiveSpan'] };
}
