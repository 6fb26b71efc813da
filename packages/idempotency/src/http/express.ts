import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidOptionError } from '../errors.ts';
import { passes } from './exchange.ts';
import type { RequestBody } from './input.ts';
import { describeNodeRequest, protectNode } from './node.ts';
import { type HttpOptions, httpSettings } from './options.ts';

/** The part of an Express request that is used. */
export interface ExpressRequest extends IncomingMessage {
  readonly originalUrl?: string;
  readonly body?: unknown;
}

/** An Express middleware. */
export type ExpressMiddleware<R> = (request: R, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Idempotency for Express (5, and 4). Mount it after the body parser, before the routes it protects.
 *
 * @example
 * ```ts
 * app.use(express.json(), expressIdempotency({ idempotency, tenant: (request) => request.user.id }));
 * ```
 * @throws InvalidOptionError, InvalidDurationError
 */
export function expressIdempotency<R extends ExpressRequest = ExpressRequest, Tx = undefined>(
  options: HttpOptions<R, Tx>,
): ExpressMiddleware<R> {
  const settings = httpSettings(options);
  return (request, response, next) => {
    const target = request.originalUrl ?? request.url ?? '/';
    const incoming = describeNodeRequest(request, target, () => parsedBody(request));
    if (passes(settings, incoming)) return next();
    protectNode(settings, request, { request, response, incoming, proceed: () => next() }).catch(next);
  };
}

/** What the body parser left. A body that nobody has parsed cannot be compared, and must not pass as if it were empty. */
function parsedBody(request: ExpressRequest): RequestBody {
  const { body, headers } = request;
  if (body !== undefined) return { parsed: body };
  const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  if (empty) return { parsed: undefined };
  const type = headers['content-type'] ?? 'no content type';
  throw new InvalidOptionError(
    `The body (${type}) was not parsed: mount a body parser for it before expressIdempotency().`,
  );
}
