import { createIdempotency } from '@millrace/idempotency';
import { memoryStore } from '@millrace/idempotency/memory';
import { createQueue, defineJob } from '@millrace/queue';
import { instrument, rateLimit, wrap } from '@millrace/ratelimit';
import { syntheticRepo, temporaryDirectory, waitFor } from '@millrace/test-support';
import { createWorkspaceManager } from '@millrace/workspace';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createObservability, type Observability } from '../../src/index.ts';
import { capturedLines } from '../captured.ts';
import { scrape } from '../scrape.ts';

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

beforeAll(() => provider.register());
beforeEach(() => exporter.reset());
afterAll(async () => {
  await provider.shutdown();
  trace.disable();
});

interface Payload {
  readonly runId: string;
}
const payload = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value: value as Payload }) },
} as const;

/** One run through all four packages, as a service would wire them. */
async function oneRun(obs: Observability, runId: string): Promise<void> {
  await using folder = await temporaryDirectory('trace');
  const repo = await syntheticRepo({ commits: 3, files: 5 });
  await using workspaces = createWorkspaceManager({
    root: folder.path,
    allowedProtocols: ['file'],
    instrumentation: obs.workspace,
  });
  await using idempotency = createIdempotency({ store: memoryStore(), instrumentation: obs.idempotency });
  await using queue = createQueue({ url: 'memory:', jobs: [defineJob('run', payload)], instrumentation: obs.queue });
  const call = wrap(
    instrument('llm', obs.rateLimit),
    rateLimit({ limits: [{ limit: 1_000, per: '1s' }], instrumentation: obs.rateLimit }),
  );
  let finished = false;
  await using _worker = queue.work({
    run: (job) =>
      obs.context.run({ runId: (job.payload as Payload).runId }, async () => {
        await using _workspace = await workspaces.checkout({ repo, ref: 'main' });
        await call(
          async () => new Response('ok', { headers: { 'x-ratelimit-remaining': '7', 'x-ratelimit-limit': '9' } }),
        );
        obs.log.info('ran');
        finished = true;
      }),
  });
  await obs.context.run({ runId, tenant: 'acme' }, () =>
    obs.tracer.startActiveSpan('POST /v1/runs', async (span) => {
      const submission = { tenant: 'acme', operation: 'submit', key: 'key-1', input: { runId } };
      await idempotency.run(submission, () => queue.enqueue('run', { runId }, { tenant: 'acme' }));
      span.end();
    }),
  );
  await waitFor(() => finished && exporter.getFinishedSpans().some(({ name }) => name.startsWith('process')), {
    timeout: 60_000,
    what: 'the end of the attempt',
  });
}

const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId;

describe('trace.joined', () => {
  it('finds all spans of a run through API, queue, worker, workspace and external call by its id', {
    timeout: 90_000,
  }, async () => {
    const out = capturedLines();
    await using obs = createObservability({ service: 'test', log: { destination: out } });
    await oneRun(obs, 'run-7');
    const all = exporter.getFinishedSpans();
    const found = all.filter(({ attributes }) => attributes['millrace.run.id'] === 'run-7');
    expect(found.map(({ name }) => name).sort()).toEqual(all.map(({ name }) => name).sort());
    const named = (name: string): ReadableSpan | undefined => found.find((span) => span.name === name);
    for (const name of [
      'POST /v1/runs',
      'idempotent submit',
      'execute submit',
      'enqueue default',
      'process default',
      'workspace checkout',
      'call llm',
    ]) {
      expect(named(name), name).toBeDefined();
    }
    const [request, enqueue, attempt] = ['POST /v1/runs', 'enqueue default', 'process default'].map(named);
    expect(enqueue?.spanContext().traceId).toBe(request?.spanContext().traceId);
    // The attempt is a trace of its own, linked to the producer's span.
    expect(parentOf(attempt)).toBeUndefined();
    expect(attempt?.spanContext().traceId).not.toBe(request?.spanContext().traceId);
    expect(attempt?.links[0]?.context.spanId).toBe(enqueue?.spanContext().spanId);
    expect(parentOf(named('workspace checkout'))).toBe(attempt?.spanContext().spanId);
    expect(parentOf(named('call llm'))).toBe(attempt?.spanContext().spanId);
    expect(named('call llm')?.attributes['http.response.status_code']).toBe(200);
    const line = out.lines.find(({ msg }) => msg === 'ran');
    expect(line).toMatchObject({ run_id: 'run-7', trace_id: attempt?.spanContext().traceId });
    const text = await scrape(obs, 'application/openmetrics-text');
    expect(text).toContain(`trace_id="${attempt?.spanContext().traceId}"`);
    expect(text).toContain('millrace_external_quota_remaining{provider="llm",resource="requests"} 7');
  });
});

const attemptInfo = { id: 'j', jobId: 'j', name: 'n', tenant: 't', queue: 'q', attempt: 1, fence: 1, waitMs: 0 };

describe('spans', () => {
  it('continue the producer’s trace in parent mode', async () => {
    await using obs = createObservability({ service: 'test', log: false, traces: { attempts: 'parent' } });
    expect(obs.queue.skipsAround()).toBe(false);
    let carried: string | undefined;
    await obs.queue.aroundEnqueue({ queue: 'q', jobs: [attemptInfo] }, async (carrier) => {
      carried = carrier?.traceparent;
    });
    await obs.queue.aroundAttempt(
      { ...attemptInfo, ...(carried !== undefined && { traceparent: carried }) },
      async () => {},
    );
    const [producer, attempt] = exporter.getFinishedSpans();
    expect(attempt?.spanContext().traceId).toBe(producer?.spanContext().traceId);
    expect(parentOf(attempt)).toBe(producer?.spanContext().spanId);
  });

  it('carry the error’s class and no secret, and pass it through', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const failure = Object.assign(new Error('GET https://u:hunter2@host failed'), { code: 'ECONNRESET' });
    await expect(obs.queue.aroundAttempt(attemptInfo, () => Promise.reject(failure))).rejects.toBe(failure);
    const [span] = exporter.getFinishedSpans();
    expect(span?.attributes).toMatchObject({ 'error.type': 'ECONNRESET', 'millrace.error.class': 'network' });
    expect(JSON.stringify([span?.status, span?.events])).not.toContain('hunter2');
  });

  it('take nothing from a traceparent that is not one', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    for (const traceparent of [
      '',
      'x',
      `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`,
      `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    ]) {
      await obs.queue.aroundAttempt({ ...attemptInfo, traceparent }, async () => {});
    }
    expect(exporter.getFinishedSpans().flatMap(({ links }) => links)).toEqual([]);
  });

  it('show the wait for a rate limit and a retry as events of the call', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const facts = { name: 'llm', key: 'k', tenant: 't', run: 'r', model: 'm', attempt: 1 };
    await obs.rateLimit.aroundCall(facts, async () => {
      obs.rateLimit.onAdmitted({ policy: 'tokens', waitMs: [250] });
      obs.rateLimit.onRetry({ attempt: 1, delayMs: 100, error: { code: 'ETIMEDOUT' } });
      return { status: 429 };
    });
    const [span] = exporter.getFinishedSpans();
    expect(span?.events.map(({ name, attributes }) => [name, attributes?.['millrace.wait_ms']])).toEqual([
      ['millrace.ratelimit.wait', 250],
      ['millrace.call.retry', 100],
    ]);
    expect(span?.attributes).toMatchObject({
      'millrace.run.id': 'r',
      'gen_ai.request.model': 'm',
      'http.response.status_code': 429,
    });
    const text = await scrape(obs);
    expect(text).toContain('millrace_external_requests_total{provider="llm",outcome="rate_limited"} 1');
  });
});
