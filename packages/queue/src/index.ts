export { type Backoff, type ExponentialOptions, exponential, fixed } from './backoff.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Codec } from './codec.ts';
export type * from './contract/index.ts';
export { createQueue, type QueueOptions } from './create-queue.ts';
export type { DedupeOption } from './dedupe.ts';
export { type DrainOnSignalsOptions, drainOnSignals } from './drain-on-signals.ts';
export type { Duration } from './duration.ts';
export * from './errors.ts';
export * from './handler.ts';
export type * from './instrumentation.ts';
export {
  defineJob,
  type FailureDecision,
  type JobDefinition,
  type JobName,
  type JobOptions,
  type Jobs,
  type Payload,
  type PayloadInput,
} from './job.ts';
export type * from './manage/bulk.ts';
export type * from './manage/dead-letters.ts';
export type * from './manage/inspect.ts';
export type * from './manage/limits.ts';
export type * from './manage/schedules.ts';
export type * from './queue.ts';
export type * from './worker.ts';
