import type { ExecutionContext } from '../options.ts';

const executions = new WeakMap<object, unknown>();

/** Remembers the execution that a request is handled in. */
export function setExecution(request: object, context: ExecutionContext): void {
  executions.set(request, context);
}

/**
 * The execution that a request is handled in: its fence, signal, `derive` and `phase`. Undefined for requests that passed without a key.
 *
 * @param request - what the handler was given: a Fetch `Request` (Hono: `c.req.raw`), `IncomingMessage`, Express or Fastify request
 * @typeParam Tx - the store's transaction client, for `phase`
 */
export function executionOf<Tx = undefined>(request: object): ExecutionContext<Tx> | undefined {
  return executions.get(request) as ExecutionContext<Tx> | undefined;
}
