import type { HonoRequest, MiddlewareHandler } from 'hono';
import { isLoopback } from '../config.ts';
import { ApiError, problemResponse } from './problem.ts';

/**
 * A server on loopback trusts whoever reaches it, so a web page must not reach it: a page whose name was pointed at
 * 127.0.0.1 (DNS rebinding) shows by its Host header.
 */
export function refuseForeignHosts(): MiddlewareHandler {
  return async (c, next) => {
    const host = new URL(c.req.url).hostname.replace(/^\[|\]$/g, '');
    if (isLoopback(host)) return await next();
    const detail = `This server listens on loopback only and is not ${host}; call it as 127.0.0.1.`;
    return problemResponse(new ApiError(421, 'ERR_HOST_REFUSED', detail));
  };
}

/** A body is JSON and says so; a browser sends that type to another site only after asking, and we never allow it. */
export function requireJson(): MiddlewareHandler {
  return async (c, next) => {
    const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (!hasBody(c.req) || type === 'application/json') return await next();
    const detail = 'Send the body as JSON with the header content-type: application/json.';
    return problemResponse(new ApiError(415, 'ERR_UNSUPPORTED_MEDIA_TYPE', detail));
  };
}

/** Without a length and without chunks there is no body, whatever the method (RFC 9112 §6.3). */
function hasBody(request: HonoRequest): boolean {
  const isChunked = request.header('transfer-encoding') !== undefined;
  return methodsWithBody.has(request.method) && (isChunked || Number(request.header('content-length') ?? 0) > 0);
}

const methodsWithBody = new Set(['POST', 'PUT', 'PATCH']);

/**
 * Bounds the body before anything is made of it: by its length, which the server holds the client to, or else by reading
 * it. What is left of a refused body is not read, so the connection cannot be used again, and the answer says so.
 */
export function limitBody(bytes: number): MiddlewareHandler {
  return async (c, next) => {
    if (!methodsWithBody.has(c.req.method)) return await next();
    const length = c.req.header('content-length');
    if (length !== undefined) return Number(length) > bytes ? tooLarge(bytes) : await next();
    const { body } = c.req.raw;
    if (!body) return await next();
    const read = await readUpTo(body, bytes);
    if (!read) return tooLarge(bytes);
    // Hono keeps promises here, whatever its type says.
    c.req.bodyCache.arrayBuffer = Promise.resolve(read) as unknown as ArrayBuffer;
    return await next();
  };
}

async function readUpTo(body: ReadableStream<Uint8Array>, limit: number): Promise<ArrayBuffer | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks)).buffer;
}

function tooLarge(bytes: number): Response {
  const detail = `The body is larger than the ${bytes} bytes this server takes (BODY_LIMIT); send less.`;
  const response = problemResponse(new ApiError(413, 'ERR_BODY_TOO_LARGE', detail));
  response.headers.set('connection', 'close');
  return response;
}
