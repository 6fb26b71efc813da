import type { ExecutionContext } from '../options.ts';
import { BodyTooLargeError, exchange, type Incoming, passes, type Verdict } from './exchange.ts';
import { setExecution } from './execution-of.ts';
import { type HttpOptions, type HttpSettings, httpSettings } from './options.ts';
import type { Answer } from './problem.ts';
import { recordResponse } from './record-response.ts';
import { bypassMarker } from './stored-response.ts';

/** What handles a request when nothing is to be replayed. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** Stands before a handler. */
export type FetchMiddleware = (request: Request, next: FetchHandler) => Promise<Response>;

/**
 * Idempotency for anything that speaks Fetch: Hono, Bun, Deno, Next, Service Workers, or node:http through an adapter.
 * The response is stored before its last byte is passed on. A response that grows beyond `maxStoredBytes`, or is an event stream, flows
 * while it is recorded; others are recorded first, so that an executor that lost its lease can still answer 409.
 *
 * @example
 * ```ts
 * const protect = fetchIdempotency({ idempotency, tenant: (request) => authenticate(request) });
 * const response = await protect(request, (request) => createOrder(request));
 * ```
 * @throws InvalidOptionError, InvalidDurationError
 */
export function fetchIdempotency<Tx = undefined>(options: HttpOptions<Request, Tx>): FetchMiddleware {
  const settings = httpSettings(options);
  return async (request, next) => {
    return protect(settings, request, request, next);
  };
}

/**
 * Runs the exchange; answers as soon as there is a response to send, which for a streamed one is before the exchange is over.
 *
 * @param subject - what the framework hands to `tenant`, `operation` and `policy`
 */
export async function protect<R>(
  settings: HttpSettings<R>,
  subject: R,
  request: Request,
  next: FetchHandler,
): Promise<Response> {
  const incoming = describeRequest(request, settings.maxRequestBytes);
  if (passes(settings, incoming)) return next(request);
  return new Promise<Response>((resolve, reject) => {
    let recorded: Response | undefined;
    let streamed = false;
    const verdict: Promise<Verdict> = exchange(settings, subject, incoming, async (context: ExecutionContext) => {
      setExecution(request, context);
      const response = await next(request);
      return recordResponse(settings, response, {
        whole: (ready) => {
          recorded = ready;
        },
        flowing: (begun) => {
          streamed = true;
          resolve(begun);
        },
        stored: verdict.then(isOwn, () => false),
      });
    });
    verdict.then((result) => {
      if (!streamed) resolve(result.kind === 'answer' ? toResponse(result.answer) : own(recorded, result.bypassed));
    }, reject);
  });
}

function own(response: Response | undefined, bypassed: boolean): Response {
  if (!response) throw new Error('The handler returned no response.');
  if (bypassed) response.headers.set(...bypassMarker);
  return response;
}

/** False when the execution did not count: what flows must not look complete. */
function isOwn(verdict: Verdict): boolean {
  return verdict.kind === 'own';
}

function describeRequest(request: Request, limit: number): Incoming {
  return {
    method: request.method,
    target: request.url,
    header: (name) => request.headers.get(name) ?? undefined,
    body: async () => ({ bytes: await readCopy(request, limit) }),
  };
}

/** Reads a copy, so that the handler gets the request untouched. */
async function readCopy(request: Request, limit: number): Promise<Uint8Array> {
  if (!request.body) return new Uint8Array();
  const reader = (request.clone().body as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    size += step.value.byteLength;
    if (size > limit) {
      // The copy and the original share one source, which is freed when both are cancelled.
      await Promise.allSettled([reader.cancel(), request.body.cancel()]);
      throw new BodyTooLargeError();
    }
    chunks.push(step.value);
  }
  return Buffer.concat(chunks);
}

function toResponse({ status, headers, body }: Answer): Response {
  return new Response(body ?? null, { status, headers: headers.map(([name, value]) => [name, value]) });
}
