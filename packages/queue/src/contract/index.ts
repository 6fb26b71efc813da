export type * from './adapter.ts';
export type * from './control.ts';
export type * from './exchange.ts';
export type * from './job.ts';
export type * from './limits.ts';
