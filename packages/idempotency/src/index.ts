export type { Admin, RecordView } from './admin.ts';
export { canonicalJson } from './canonical-json.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Duration, DurationUnit } from './duration.ts';
export {
  IdempotencyDuplicateError,
  IdempotencyError,
  IdempotencyInProgressError,
  IdempotencyMismatchError,
  InvalidDurationError,
  InvalidKeyError,
  InvalidOptionError,
  LeaseLostError,
  OutcomeUnknownError,
  StoredResultError,
  StoreUnavailableError,
  UnserializableError,
} from './errors.ts';
export { fingerprint } from './fingerprint.ts';
export type { CacheOptions } from './finished-cache.ts';
export { createIdempotency, type Idempotency } from './idempotency.ts';
export type {
  CacheEvent,
  ExecutionInfo,
  IdempotencyInstrumentation,
  Outcome,
  OutcomeEvent,
  RunInfo,
  StoreEvent,
  SweptEvent,
} from './instrumentation.ts';
export { keyFrom } from './key.ts';
export type {
  Duplicates,
  ExecutionContext,
  IdempotencyOptions,
  OperationPolicy,
  Reconcile,
  ReconcileDecision,
  Resolution,
  RunRequest,
  RunResult,
} from './options.ts';
export type { ExpiredLease, IdempotencyRecord, RecordKey, RecordState } from './record.ts';
export type { Encryption } from './result-codec.ts';
export type {
  BeginRequest,
  BeginResult,
  IdempotencyStore,
  LeaseTimes,
  ListQuery,
  StoreCapabilities,
  StoreResolution,
  SweepResult,
} from './store.ts';
