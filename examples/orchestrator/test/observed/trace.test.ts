import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@millrace/test-support';
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ObservedService, startObservedService } from '../support/observed-service.ts';

const memory = new InMemorySpanExporter();
const received: string[] = [];
const sink = createServer((request, response) => void receive(request, response));
let sdk: NodeTracerProvider;
let service: ObservedService;

beforeAll(async () => {
  sink.listen(0, '127.0.0.1');
  await once(sink, 'listening');
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/v1/traces`;
  const exporter = new BatchSpanProcessor(new OTLPTraceExporter({ url }));
  sdk = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory), exporter] });
  sdk.register();
  service = await startObservedService();
}, 120_000);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await sdk.shutdown();
  trace.disable();
  sink.close();
});

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  received.push(Buffer.concat(chunks).toString());
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
}

async function until(id: string, state: string): Promise<string> {
  return await waitFor(
    async () => {
      const run = await service.orchestrator.client.get(id);
      return run.state === state ? (run.commitSha ?? 'none') : undefined;
    },
    { timeout: 60_000, what: `${state} of the run` },
  );
}

const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId;

test('one query by run id finds a run from its request over queue, worker, workspace, model and forge to CI', {
  timeout: 120_000,
}, async () => {
  const caller = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
  const agent = { type: 'claude', prompt: 'Do it.', model: 'claude-sonnet-4-5' };
  const answer = await fetch(`${service.orchestrator.url}/v1/runs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': 'one',
      traceparent: `00-${caller.traceId}-${caller.spanId}-01`,
    },
    body: JSON.stringify({ repo: service.repo, agent, pullRequest: { waitForChecks: true } }),
  });
  const { id } = (await answer.json()) as { readonly id: string };
  const sha = await until(id, 'ci_waiting');
  expect(await service.check(sha, 'success')).toBe(202);
  await until(id, 'succeeded');
  await waitFor(() => memory.getFinishedSpans().some(({ name }) => name === 'wait for checks'), { timeout: 20_000 });

  const found = memory.getFinishedSpans().filter(({ attributes }) => attributes['millrace.run.id'] === id);
  const named = (name: string): ReadableSpan | undefined => found.find((span) => span.name === name);
  for (const name of [
    'POST /v1/runs',
    'idempotent runs.create',
    'enqueue runs',
    'process runs',
    'workspace checkout',
    'git fetch',
    'call anthropic',
    'git push',
    'wait for checks',
  ]) {
    expect(
      found.map((span) => span.name),
      name,
    ).toContain(name);
  }
  const [request, enqueue, attempt] = ['POST /v1/runs', 'enqueue runs', 'process runs'].map(named);
  expect(request?.spanContext().traceId, 'the caller’s trace goes on').toBe(caller.traceId);
  expect(parentOf(request)).toBe(caller.spanId);
  expect(parentOf(enqueue)).toBe(request?.spanContext().spanId);
  expect(attempt?.links[0]?.context.spanId, 'the attempt is linked to what enqueued it').toBe(
    enqueue?.spanContext().spanId,
  );
  expect(named('workspace checkout')?.spanContext().traceId).toBe(attempt?.spanContext().traceId);
  expect(named('wait for checks')?.attributes).toMatchObject({ 'cicd.pipeline.result': 'success' });

  await sdk.forceFlush();
  const exported = received.join('\n');
  for (const name of ['POST /v1/runs', 'process runs', 'call anthropic', 'wait for checks']) {
    expect(exported, 'it went out over OTLP').toContain(JSON.stringify(name));
  }
  expect(exported).not.toContain('ghp_of_the_server');
});
