import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyTooLargeError, exchange, type Incoming, passes, type Verdict } from './exchange.ts';
import { setExecution } from './execution-of.ts';
import type { RequestBody } from './input.ts';
import { sendAnswer } from './node-answer.ts';
import { recordNodeResponse } from './node-response.ts';
import { type HttpOptions, type HttpSettings, httpSettings } from './options.ts';

/** A request listener that is handed the body, which has been read already; undefined for requests that passed without a key. */
export type NodeListener = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array | undefined,
) => void | Promise<void>;

/**
 * Idempotency for `node:http`.
 *
 * @example
 * ```ts
 * const protect = nodeIdempotency({ idempotency, tenant: (request) => authenticate(request) });
 * createServer(protect((request, response, body) => createOrder(body, response))).listen(8080);
 * ```
 * @throws InvalidOptionError, InvalidDurationError
 */
export function nodeIdempotency<Tx = undefined>(
  options: HttpOptions<IncomingMessage, Tx>,
): (listener: NodeListener) => (request: IncomingMessage, response: ServerResponse) => void {
  const settings = httpSettings(options);
  return (listener) => (request, response) => {
    const fail = (error: unknown): void => {
      // As node:http does for a listener that throws: the process decides. The connection must not hang meanwhile.
      response.destroy();
      queueMicrotask(() => {
        throw error;
      });
    };
    let body: Uint8Array | undefined;
    const read = async (): Promise<RequestBody> => {
      body = await readBody(request, settings.maxRequestBytes);
      return { bytes: body };
    };
    const incoming = describeNodeRequest(request, request.url ?? '/', read);
    const call = async (): Promise<void> => listener(request, response, body);
    if (passes(settings, incoming)) call().catch(fail);
    else protectNode(settings, request, { request, response, incoming, proceed: call }).catch(fail);
  };
}

/** What an adapter over Node's request and response brings. */
export interface NodeExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly incoming: Incoming;
  /** Lets the handler run. */
  proceed(): void | Promise<void>;
}

/** Runs the handler once per key, or sends what stands in its place. */
export async function protectNode<R>(settings: HttpSettings<R>, subject: R, node: NodeExchange): Promise<void> {
  const { request, response, incoming, proceed } = node;
  let handled = false;
  const verdict: Promise<Verdict> = exchange(settings, subject, incoming, async (context) => {
    handled = true;
    setExecution(request, context);
    const recorded = recordNodeResponse(settings, response, verdict);
    const failed = Promise.resolve(proceed()).then(() => new Promise<never>(() => undefined));
    return Promise.race([recorded, failed]);
  });
  const result = await verdict;
  if (!handled && result.kind === 'answer') sendAnswer(response, result.answer);
}

/** Shows Node's request as an exchange wants it. */
export function describeNodeRequest(
  request: IncomingMessage,
  target: string,
  body: () => Promise<RequestBody> | RequestBody,
): Incoming {
  return {
    method: request.method ?? 'GET',
    target,
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body,
  };
}

async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed at a break: the connection has to carry the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > limit) {
      request.resume();
      throw new BodyTooLargeError();
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
