import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { expect, it } from 'vitest';
import { createObservability } from '../../src/index.ts';

interface ExportedSpans {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly { readonly name: string; readonly links?: readonly { readonly traceId: string }[] }[];
    }[];
  }[];
}

it('sends spans with their links over OTLP, also when the SDK is set up after us', async () => {
  const received: ExportedSpans[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push(JSON.parse(Buffer.concat(chunks).toString()) as ExportedSpans);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  };
  const sink = createServer((request, response) => void receive(request, response)).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  await using obs = createObservability({ service: 'test', log: false });
  const info = { id: 'j', name: 'n', tenant: 't', queue: 'q', attempt: 1, fence: 1, waitMs: 0 };
  await obs.queue.aroundAttempt(info, async () => {});

  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/v1/traces`;
  const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))] });
  provider.register();
  // Whether there is an SDK is asked once per turn of the event loop.
  await setImmediate();
  await obs.queue.aroundEnqueue({ queue: 'q', jobs: [info] }, async (carrier) => {
    await obs.queue.aroundAttempt({ ...info, ...carrier }, async () => {});
  });
  await provider.forceFlush();
  await provider.shutdown();
  trace.disable();
  sink.close();

  const scopes = received.flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans));
  expect(scopes.map(({ scope }) => scope.name)).toEqual(['@millrace/observability']);
  const spans = scopes.flatMap((scope) => scope.spans);
  expect(spans.map(({ name }) => name).sort()).toEqual(['enqueue q', 'process q']);
  expect(spans.find(({ name }) => name === 'process q')?.links?.[0]?.traceId).toMatch(/^[0-9a-f]{32}$/);
});
