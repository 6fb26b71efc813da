export { type IdempotentFetchOptions, idempotentFetch } from './http/client.ts';
export { executionOf } from './http/execution-of.ts';
export { type ExpressMiddleware, type ExpressRequest, expressIdempotency } from './http/express.ts';
export {
  type FastifyLike,
  type FastifyReplyLike,
  type FastifyRequestLike,
  fastifyIdempotency,
} from './http/fastify.ts';
export { type FetchHandler, type FetchMiddleware, fetchIdempotency } from './http/fetch.ts';
export { type HonoContextLike, type HonoMiddleware, honoIdempotency } from './http/hono.ts';
export { keyHeader } from './http/key-header.ts';
export { type NodeListener, nodeIdempotency } from './http/node.ts';
export type { HttpOptions } from './http/options.ts';
export type { Spill } from './http/recorder.ts';
