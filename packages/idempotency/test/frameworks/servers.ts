import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { type Context, Hono } from 'hono';
import {
  executionOf,
  expressIdempotency,
  fastifyIdempotency,
  honoIdempotency,
  nodeIdempotency,
} from '../../src/http.ts';
import { listen, type StartShop } from './shop.ts';

const chunks = ['one,', 'two,', 'three'];
const userOf = (headers: IncomingMessage['headers']): string => String(headers['x-user']);

const startNode: StartShop = (shop, options) => {
  const protect = nodeIdempotency({ ...options, tenant: (request) => userOf(request.headers) });
  const routes: Record<
    string,
    (response: ServerResponse, body: Uint8Array | undefined, request: IncomingMessage) => void | Promise<void>
  > = {
    '/orders': (response, body, request) => {
      shop.orders += 1;
      response.writeHead(201, {
        'content-type': 'application/json',
        location: `/orders/${shop.orders}`,
        'set-cookie': 'a=1',
      });
      const got = body && JSON.parse(Buffer.from(body).toString());
      response.end(JSON.stringify({ n: shop.orders, got, attempt: executionOf(request)?.attempt }));
    },
    '/fail': (response) => {
      shop.failures += 1;
      response.writeHead(503).end('down');
    },
    '/slow': async (response) => {
      shop.slow += 1;
      await shop.gate;
      response.end('slow');
    },
    '/stream': (response) => void Readable.from(chunks).pipe(response.writeHead(200, { 'content-type': 'text/plain' })),
    '/sized': (response) => {
      response.writeHead(200, { 'content-length': chunks.join('').length });
      for (const chunk of chunks) response.write(chunk);
      response.end();
    },
    '/empty': (response) => void response.writeHead(204).end(),
  };
  return listen(
    createServer(protect((request, response, body) => routes[request.url ?? '']?.(response, body, request))),
  );
};

const startExpress: StartShop = (shop, options) => {
  const app = express();
  app.use(express.json(), expressIdempotency({ ...options, tenant: (request) => userOf(request.headers) }));
  app.post('/orders', (request, response) => {
    shop.orders += 1;
    const body = { n: shop.orders, got: request.body, attempt: executionOf(request)?.attempt };
    response.status(201).location(`/orders/${shop.orders}`).cookie('a', '1').json(body);
  });
  app.post('/fail', (_request, response) => {
    shop.failures += 1;
    response.status(503).send('down');
  });
  app.post('/slow', async (_request, response) => {
    shop.slow += 1;
    await shop.gate;
    response.send('slow');
  });
  app.post('/stream', (_request, response) => void Readable.from(chunks).pipe(response.type('text/plain')));
  app.post('/sized', (_request, response) => {
    response.set('content-length', String(chunks.join('').length));
    for (const chunk of chunks) response.write(chunk);
    response.end();
  });
  app.post('/empty', (_request, response) => void response.status(204).end());
  return listen(createServer(app));
};

const startFastify: StartShop = async (shop, options) => {
  const app = fastify();
  fastifyIdempotency<FastifyRequest>(app, { ...options, tenant: (request) => userOf(request.headers) });
  app.post('/orders', (request, reply) => {
    shop.orders += 1;
    const body = { n: shop.orders, got: request.body, attempt: executionOf(request)?.attempt };
    return reply.code(201).header('location', `/orders/${shop.orders}`).header('set-cookie', 'a=1').send(body);
  });
  app.post('/fail', (_request, reply) => {
    shop.failures += 1;
    return reply.code(503).send('down');
  });
  app.post('/slow', async () => {
    shop.slow += 1;
    await shop.gate;
    return 'slow';
  });
  app.post('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(chunks)));
  app.post('/sized', (_request, reply) =>
    reply.header('content-length', chunks.join('').length).send(Readable.from(chunks)),
  );
  app.post('/empty', (_request, reply) => reply.code(204).send());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => app.close() };
};

const startHono: StartShop = async (shop, options) => {
  const app = new Hono();
  app.use(honoIdempotency<Context>({ ...options, tenant: (c) => c.req.header('x-user') ?? '' }));
  app.post('/orders', async (c) => {
    shop.orders += 1;
    c.header('set-cookie', 'a=1');
    c.header('location', `/orders/${shop.orders}`);
    return c.json({ n: shop.orders, got: await c.req.json(), attempt: executionOf(c.req.raw)?.attempt }, 201);
  });
  app.post('/fail', (c) => {
    shop.failures += 1;
    return c.text('down', 503);
  });
  app.post('/slow', async (c) => {
    shop.slow += 1;
    await shop.gate;
    return c.text('slow');
  });
  const body = () => ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk)));
  app.post('/stream', (c) => c.body(body(), 200, { 'content-type': 'text/plain' }));
  app.post('/sized', (c) => c.body(body(), 200, { 'content-length': String(chunks.join('').length) }));
  app.post('/empty', (c) => c.body(null, 204));
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${port}`, close };
};

/** Every framework with an adapter. */
export const frameworks: Readonly<Record<string, StartShop>> = {
  'node:http': startNode,
  Express: startExpress,
  Fastify: startFastify,
  Hono: startHono,
};
