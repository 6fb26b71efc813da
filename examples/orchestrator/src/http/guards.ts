import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
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
    const hasBody = c.req.method === 'POST' && Number(c.req.header('content-length') ?? 1) > 0;
    if (!hasBody || type === 'application/json' || (type === undefined && !c.req.raw.body)) return await next();
    const detail = 'Send the body as JSON with the header content-type: application/json.';
    return problemResponse(new ApiError(415, 'ERR_UNSUPPORTED_MEDIA_TYPE', detail));
  };
}

/** What is left of a refused body is not read, so the connection cannot be used again, and the answer says so. */
export function limitBody(bytes: number): MiddlewareHandler {
  const detail = `The body is larger than the ${bytes} bytes this server takes (BODY_LIMIT); send less.`;
  return bodyLimit({
    maxSize: bytes,
    onError: () => {
      const response = problemResponse(new ApiError(413, 'ERR_BODY_TOO_LARGE', detail));
      response.headers.set('connection', 'close');
      return response;
    },
  });
}
