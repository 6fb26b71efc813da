import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { exchange, NotStored, passes, type Verdict } from './exchange.ts';
import { setExecution } from './execution-of.ts';
import { describeNodeRequest } from './node.ts';
import { afterDisconnect } from './node-response.ts';
import { type HttpOptions, type HttpSettings, httpSettings } from './options.ts';
import type { Answer } from './problem.ts';
import { recorderFor } from './record-response.ts';
import type { Recorder } from './recorder.ts';
import { bypassMarker, keptHeaders, type StoredResponse } from './stored-response.ts';

/** The part of a Fastify request that is used. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly url: string;
  readonly body: unknown;
}

/** The part of a Fastify reply that is used. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  getHeader(name: string): unknown;
  getHeaders(): Readonly<Record<string, unknown>>;
  send(payload?: unknown): unknown;
}

/** The part of a Fastify instance that is used. */
export interface FastifyLike<R> {
  addHook(name: 'preHandler', hook: (request: R, reply: FastifyReplyLike) => Promise<unknown>): unknown;
  addHook(name: 'onSend', hook: (request: R, reply: FastifyReplyLike, payload: unknown) => Promise<unknown>): unknown;
}

/** A request between its two hooks. */
interface Pending {
  resolve(stored: StoredResponse): void;
  reject(error: unknown): void;
  readonly verdict: Promise<Verdict>;
}

/**
 * Idempotency for the routes of a Fastify (5) instance. Call it with the instance, before its routes are added.
 *
 * @example
 * ```ts
 * fastifyIdempotency(fastify, { idempotency, tenant: (request) => request.user.id });
 * ```
 * @throws InvalidOptionError, InvalidDurationError
 */
export function fastifyIdempotency<R extends FastifyRequestLike, Tx = undefined>(
  fastify: FastifyLike<R>,
  options: HttpOptions<R, Tx>,
): void {
  const settings = httpSettings(options);
  const pending = new WeakMap<object, Pending>();
  fastify.addHook('preHandler', (request, reply) => admit(settings, pending, request, reply));
  fastify.addHook('onSend', async (request, reply, payload) => {
    const waiting = pending.get(request);
    pending.delete(request);
    return waiting ? record(settings, waiting, reply, payload) : payload;
  });
}

async function admit<R extends FastifyRequestLike>(
  settings: HttpSettings<R>,
  pending: WeakMap<object, Pending>,
  request: R,
  reply: FastifyReplyLike,
): Promise<unknown> {
  const incoming = describeNodeRequest(request.raw, request.url, () => ({ parsed: request.body }));
  if (passes(settings, incoming)) return;
  let verdict: Promise<Verdict> | undefined;
  const admitted = new Promise<undefined>((proceed, fail) => {
    verdict = exchange(settings, request, incoming, (context) => {
      setExecution(request, context);
      return new Promise<StoredResponse>((resolve, reject) => {
        pending.set(request, { resolve, reject, verdict: verdict as Promise<Verdict> });
        afterDisconnect(reply.raw, settings.disconnectGrace, () => reject(new NotStored()));
        proceed(undefined);
      });
    });
    verdict.catch(fail);
  });
  const result = await Promise.race([admitted, verdict as unknown as Promise<Verdict>]);
  if (result?.kind !== 'answer') return;
  replace(reply, result.answer);
  reply.send(toPayload(result.answer));
  return reply;
}

async function record<R>(
  settings: HttpSettings<R>,
  waiting: Pending,
  reply: FastifyReplyLike,
  payload: unknown,
): Promise<unknown> {
  if (!settings.storable(reply.statusCode)) {
    waiting.reject(new NotStored());
    await waiting.verdict;
    return payload;
  }
  const recorder = recorderFor(settings, String(reply.getHeader('content-type') ?? ''));
  const pairs = Object.entries(reply.getHeaders()).map(([name, value]): [string, string] => [name, String(value)]);
  const head = { status: reply.statusCode, headers: keptHeaders(pairs, settings.headers) };
  const stream = toStream(payload);
  if (stream) {
    const holdBack = reply.getHeader('content-length') !== undefined;
    return stream
      .on('error', (error) => waiting.reject(error))
      .pipe(recordingTransform(recorder, waiting, head, holdBack));
  }
  if (payload !== null && payload !== undefined) await recorder.add(Buffer.from(payload as string | Uint8Array));
  waiting.resolve({ ...head, body: await recorder.finish() });
  const verdict = await waiting.verdict;
  if (verdict.kind === 'own') {
    if (verdict.bypassed) reply.header(...bypassMarker);
    return payload;
  }
  replace(reply, verdict.answer);
  return toPayload(verdict.answer);
}

/** Passes chunks on while recording them; the end, and with a Content-Length the last chunk, waits until the recording is stored. */
function recordingTransform(
  recorder: Recorder,
  waiting: Pending,
  head: Omit<StoredResponse, 'body'>,
  holdBack: boolean,
): Transform {
  let held: Buffer | undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const next = holdBack ? held : chunk;
      held = Buffer.from(chunk);
      recorder.add(held).then(() => done(null, next), done);
    },
    flush(done) {
      const last = holdBack ? held : undefined;
      waiting.verdict.then(({ kind }) => {
        if (kind === 'own') done(null, last);
        else done(new Error('The response was not stored: ask again with the same key.'));
      }, done);
      recorder.finish().then((body) => waiting.resolve({ ...head, body }), waiting.reject);
    },
  });
}

function toStream(payload: unknown): Readable | undefined {
  if (payload instanceof Readable) return payload;
  return payload instanceof ReadableStream ? Readable.fromWeb(payload as never) : undefined;
}

function replace(reply: FastifyReplyLike, { status, headers }: Answer): void {
  for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
  reply.code(status);
  for (const [name, value] of headers) reply.header(name, value);
}

function toPayload({ body }: Answer): Buffer | Readable | undefined {
  if (body === undefined) return undefined;
  return body instanceof Uint8Array ? Buffer.from(body) : Readable.fromWeb(body as never);
}
