import type { StandardSchemaV1 } from '@standard-schema/spec';

/** Options of the errors that wrap another one. */
export interface CauseOptions {
  readonly cause?: unknown;
}

/** An option is outside what it may be; the message names it and says what is allowed. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError';
  readonly code = 'ERR_INVALID_OPTION' as const;
}

/** A duration is neither milliseconds nor text that `ms` can read. */
export class InvalidDurationError extends TypeError {
  override readonly name = 'InvalidDurationError';
  readonly code = 'ERR_INVALID_DURATION' as const;
  constructor(option: string, value: unknown) {
    super(
      `\`${option}\` must be a length of time, such as 1500 (milliseconds) or '30s'; it is ${JSON.stringify(value) ?? String(value)}.`,
    );
  }
}

/** The job's name is not among the definitions that `createQueue({ jobs })` was given. */
export class UnknownJobError extends Error {
  override readonly name = 'UnknownJobError';
  readonly code = 'ERR_UNKNOWN_JOB' as const;
  constructor(job: string, known: readonly string[]) {
    super(
      `No job is called ${JSON.stringify(job)}. Define it with defineJob() and pass it to createQueue({ jobs }). Known: ${known.join(', ') || 'none'}.`,
    );
  }
}

/** `queue.work()` was given no handler for one of the queue's jobs. */
export class MissingHandlerError extends Error {
  override readonly name = 'MissingHandlerError';
  readonly code = 'ERR_MISSING_HANDLER' as const;
  constructor(job: string) {
    super(
      `queue.work() has no handler for the job ${JSON.stringify(job)}. A worker claims every job of its queue: give each a handler.`,
    );
  }
}

/** The payload does not fit the job's schema; `issues` says where. */
export class PayloadInvalidError extends Error {
  override readonly name = 'PayloadInvalidError';
  readonly code = 'ERR_PAYLOAD_INVALID' as const;
  /** What the schema found, with paths. */
  readonly issues: readonly StandardSchemaV1.Issue[];
  constructor(job: string, issues: readonly StandardSchemaV1.Issue[], options?: CauseOptions) {
    super(
      `The payload of ${JSON.stringify(job)} does not fit its schema: ${issues.map(describeIssue).join('; ')}`,
      options,
    );
    this.issues = issues;
  }
}

function describeIssue({ path, message }: StandardSchemaV1.Issue): string {
  const keys = path?.map((part) => String(typeof part === 'object' ? part.key : part)) ?? [];
  return keys.length > 0 ? `${keys.join('.')}: ${message}` : message;
}

/** The encoded payload is larger than the queue's `maxPayloadBytes`. */
export class PayloadTooLargeError extends Error {
  override readonly name = 'PayloadTooLargeError';
  readonly code = 'ERR_PAYLOAD_TOO_LARGE' as const;
  constructor(job: string, bytes: number, limit: number) {
    super(
      `The payload of ${JSON.stringify(job)} has ${bytes} bytes; maxPayloadBytes is ${limit}. Store it elsewhere and enqueue a reference.`,
    );
  }
}

/** A stored payload or result cannot be decoded: its codec (or the key it names) is not configured here, or it was tampered with. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly code = 'ERR_CODEC' as const;
}

/** Which high-water mark refused a job. */
export interface FullReason {
  readonly scope: 'queue' | 'tenant';
  readonly limit: 'count' | 'bytes' | 'store';
}

/** Backpressure: a high-water mark of the queue or of the tenant is reached. Nothing was stored; try again after `retryAfter`. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
  readonly code = 'ERR_QUEUE_FULL' as const;
  readonly scope: FullReason['scope'];
  readonly limit: FullReason['limit'];
  /** Milliseconds after which trying again is sensible. */
  readonly retryAfter: number;
  constructor(queue: string, tenant: string, reason: FullReason, retryAfter: number) {
    const whose = reason.scope === 'tenant' ? `of tenant ${JSON.stringify(tenant)} ` : '';
    super(
      `Queue ${JSON.stringify(queue)} takes no more jobs ${whose}now (${reason.limit} limit). Try again in ${retryAfter} ms.`,
    );
    this.scope = reason.scope;
    this.limit = reason.limit;
    this.retryAfter = retryAfter;
  }
}

/** An ack, nack, extend or progress came with a fence that is no longer the job's; it had no effect. */
export class StaleLeaseError extends Error {
  override readonly name = 'StaleLeaseError';
  readonly code = 'ERR_STALE_LEASE' as const;
  constructor(jobId: string, fence: number) {
    super(`The lease ${fence} of job ${jobId} is over: another worker may hold the job now. Nothing was changed.`);
  }
}

/** `ctx.signal.reason`: the lease is lost (or may be: the store could not be reached in time). Stop, and write nothing more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  readonly code = 'ERR_LEASE_LOST' as const;
}

/** `ctx.signal.reason`: somebody cancelled the job. */
export class JobCancelledError extends Error {
  override readonly name = 'JobCancelledError';
  readonly code = 'ERR_JOB_CANCELLED' as const;
}

/** `ctx.signal.reason`: the job ran longer than its `deadline`. Counts as a failed attempt. */
export class JobDeadlineError extends Error {
  override readonly name = 'JobDeadlineError';
  readonly code = 'ERR_JOB_DEADLINE' as const;
}

/** `ctx.signal.reason`: the handler showed no progress for its `stall` time. Counts as a failed attempt. */
export class JobStalledError extends Error {
  override readonly name = 'JobStalledError';
  readonly code = 'ERR_JOB_STALLED' as const;
}

/** `ctx.signal.reason`: the worker is shutting down; the job goes back to the queue and the attempt does not count. */
export class WorkerShutdownError extends Error {
  override readonly name = 'WorkerShutdownError';
  readonly code = 'ERR_WORKER_SHUTDOWN' as const;
}

/** Throw it in a handler to say that no retry can help: the job goes to the dead letters at once. */
export class UnrecoverableError extends Error {
  override readonly name = 'UnrecoverableError';
  readonly code = 'ERR_UNRECOVERABLE' as const;
}

/** Throw it in a handler (or call `ctx.snooze()`) to run the job later without counting the attempt. */
export class SnoozeError extends Error {
  override readonly name = 'SnoozeError';
  readonly code = 'ERR_SNOOZE' as const;
  /** Milliseconds until the job is ready again. */
  readonly delay: number;
  constructor(delay: number) {
    super(`Snoozed for ${delay} ms.`);
    this.delay = delay;
  }
}

/** A parent job ended because one of its children did not succeed. */
export class ChildFailedError extends Error {
  override readonly name = 'ChildFailedError';
  readonly code = 'ERR_CHILD_FAILED' as const;
}

/** `handle.result()`: the job ended without a result: dead, cancelled, or its result is no longer (or was never) kept. */
export class ResultUnavailableError extends Error {
  override readonly name = 'ResultUnavailableError';
  readonly code = 'ERR_RESULT_UNAVAILABLE' as const;
  /** How the job ended, `'unknown'` when the queue does not know the job (any more). */
  readonly state: 'succeeded' | 'dead' | 'cancelled' | 'unknown';
  constructor(message: string, state: ResultUnavailableError['state'], options?: CauseOptions) {
    super(message, options);
    this.state = state;
  }
}

/** The storage behind the queue did not answer, or answered with an error. Calls may be repeated: enqueueing an id twice is harmless. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  readonly code = 'ERR_STORE_UNAVAILABLE' as const;
  /** Milliseconds after which trying again is sensible. */
  readonly retryAfter: number;
  constructor(message: string, options?: CauseOptions & { readonly retryAfter?: number }) {
    super(message, options);
    this.retryAfter = options?.retryAfter ?? 1_000;
  }
}

/** The adapter or its driver cannot be used; the message says what to install or to change. */
export class AdapterUnavailableError extends Error {
  override readonly name = 'AdapterUnavailableError';
  readonly code = 'ERR_ADAPTER_UNAVAILABLE' as const;
}

/** The adapter does not have what the call needs (see its `capabilities`). */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
  readonly code = 'ERR_UNSUPPORTED' as const;
}

/** The queue has been closed. */
export class QueueClosedError extends Error {
  override readonly name = 'QueueClosedError';
  readonly code = 'ERR_QUEUE_CLOSED' as const;
  constructor(queue: string) {
    super(`Queue ${JSON.stringify(queue)} is closed. Create a new one with createQueue().`);
  }
}
