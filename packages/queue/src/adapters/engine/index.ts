export { type Call, createCall } from './call.ts';
export { control } from './control.ts';
export { enqueue } from './enqueue.ts';
export { exchange } from './exchange.ts';
export { hintsOfControl, hintsOfEnqueue, hintsOfExchange } from './hints.ts';
export type { Tables } from './tables.ts';
