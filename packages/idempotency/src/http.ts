export { executionOf } from './http/execution-of.ts';
export { type FetchHandler, type FetchMiddleware, fetchIdempotency } from './http/fetch.ts';
export { keyHeader } from './http/key-header.ts';
export type { HttpOptions } from './http/options.ts';
export type { Spill } from './http/recorder.ts';
