export { allMetrics, catalogue } from './catalogue/index.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Context, ContextFields } from './context.ts';
export type { Queryable } from './copies.ts';
export type { Duration } from './duration.ts';
export { type ErrorClass, errorClass } from './error-class.ts';
export { InvalidDurationError, InvalidOptionError, MetricConflictError, MetricDefinitionError } from './errors.ts';
export type {
  CheckFunction,
  CheckOptions,
  CheckReport,
  CheckResult,
  Health,
  HealthReport,
  Probe,
} from './health/health.ts';
export { operationPaths } from './http.ts';
export type { IdempotencyHooks } from './instrument/idempotency.ts';
export type { QueueHooks } from './instrument/queue.ts';
export type { HeaderReader } from './instrument/quota.ts';
export type { RateLimitHooks } from './instrument/ratelimit.ts';
export type { WorkspaceHooks } from './instrument/workspace.ts';
export type { LogOptions } from './log/log.ts';
export { REDACTED, redact } from './log/redact.ts';
export { type BucketSet, bucketSets } from './metrics/buckets.ts';
export type { Collector } from './metrics/collectors.ts';
export {
  defineMetric,
  type LabelValues,
  type MetricCatalogue,
  type MetricDefinition,
  type MetricType,
  type MetricUnit,
} from './metrics/definition.ts';
export type {
  BoundCounter,
  BoundHistogram,
  Counter,
  Gauge,
  Histogram,
  InstrumentOf,
  Instruments,
} from './metrics/instruments.ts';
export { OTHER } from './metrics/series.ts';
export { createObservability, type Observability, type ObservabilityOptions } from './observability.ts';
export type { PoolCounters, ProcessWatch } from './process.ts';
export type { WatchedQueue, WatchQueueOptions } from './queue-watch.ts';
export { formatTraceparent, parseTraceparent } from './trace/traceparent.ts';
export { version } from './version.ts';
