import type { JobFilter } from './contract/control.ts';
import type { DedupeOption } from './dedupe.ts';
import type { Duration } from './duration.ts';
import type { QueueFullError } from './errors.ts';
import type { Handlers } from './handler.ts';
import type { JobName, Jobs, PayloadInput } from './job.ts';
import type { Bulk } from './manage/bulk.ts';
import type { DeadLetters } from './manage/dead-letters.ts';
import type { Inspect } from './manage/inspect.ts';
import type { LimitsControl } from './manage/limits.ts';
import type { Schedules } from './manage/schedules.ts';
import type { Worker, WorkerOptions } from './worker.ts';

/** Every call that waits takes a signal. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Options of `enqueue`. What is left out comes from the job's definition. */
export interface EnqueueOptions extends CallOptions {
  /** Id of the job: 1 to 128 letters, digits, `_`, `-`, `.`, `:`. An id known already is a duplicate. @default a new one */
  readonly id?: string;
  /** Whose job it is; fairness and limits are per tenant. At most 200 characters. @default '' */
  readonly tenant?: string;
  /** Larger first, integer from -1,000 to 1,000. @default of the definition */
  readonly priority?: number;
  /** Not before this long from now. @default 0 */
  readonly delay?: Duration;
  /** Same key, same job: see {@link DedupeOption}. A string means `{ key, mode: 'pending' }`. */
  readonly dedupe?: string | DedupeOption;
  /** @default of the definition */
  readonly maxAttempts?: number;
  /** @default of the definition */
  readonly cost?: number;
  /** @default of the definition */
  readonly keepResult?: Duration;
  /** W3C traceparent of the caller, given to the handler and to instrumentation. */
  readonly traceparent?: string;
  /** A transaction of your database client: the job exists if and only if it commits. Adapters with `capabilities.transactions` only. */
  readonly tx?: unknown;
}

/** An enqueued job. */
export interface EnqueueHandle {
  readonly id: string;
  /**
   * Waits for the job to end and answers its result.
   * @throws ResultUnavailableError when it ends dead or cancelled, or its result is not kept
   */
  result(options?: CallOptions): Promise<unknown>;
}

/** `accepted`: stored. `duplicate`: a job with this dedupe key (or id) is there already; `id` is its id. */
export type Enqueued = EnqueueHandle &
  ({ readonly status: 'accepted' } | { readonly status: 'duplicate'; readonly replaced: boolean });

/** Backpressure as a value. */
export interface Rejected {
  readonly status: 'rejected';
  /** Milliseconds after which trying again is sensible. */
  readonly retryAfter: number;
  readonly error: QueueFullError;
}

/** One job of `enqueueMany`. */
export type EnqueueItem<J extends Jobs> = {
  [N in JobName<J>]: { readonly name: N; readonly payload: PayloadInput<J, N> } & Omit<EnqueueOptions, 'signal' | 'tx'>;
}[JobName<J>];

/** A job with the jobs that must end before it starts. */
export type Flow<J extends Jobs> = EnqueueItem<J> & {
  readonly children?: readonly (Flow<J> & {
    /** When this child ends dead or cancelled: the parent becomes dead too, or runs all the same. @default 'fail-parent' */
    readonly onFailure?: 'fail-parent' | 'ignore';
  })[];
};

/** Jobs go in with `enqueue`, workers take them out with `work`. Made by `createQueue()`. */
export interface Queue<J extends Jobs = Jobs> extends AsyncDisposable {
  readonly name: string;
  /**
   * Stores a job. Resolves when the store has it.
   * @throws QueueFullError, PayloadInvalidError, PayloadTooLargeError, UnknownJobError, StoreUnavailableError
   */
  enqueue<N extends JobName<J>>(name: N, payload: PayloadInput<J, N>, options?: EnqueueOptions): Promise<Enqueued>;
  /** As {@link Queue.enqueue}, with backpressure as an answer instead of an error. */
  tryEnqueue<N extends JobName<J>>(
    name: N,
    payload: PayloadInput<J, N>,
    options?: EnqueueOptions,
  ): Promise<Enqueued | Rejected>;
  /** Stores many; each is accepted, a duplicate or rejected on its own. In the order given. */
  enqueueMany(
    items: readonly EnqueueItem<J>[],
    options?: CallOptions & { readonly tx?: unknown },
  ): Promise<readonly (Enqueued | Rejected)[]>;
  /**
   * Stores a job and its children, all or none. The parent starts when all children have ended.
   * @throws QueueFullError
   */
  enqueueFlow(flow: Flow<J>, options?: CallOptions & { readonly tx?: unknown }): Promise<EnqueueHandle>;
  /** Waits for a job to end. See {@link EnqueueHandle.result}. */
  result(jobId: string, options?: CallOptions): Promise<unknown>;
  /**
   * Starts a worker in this process.
   * @throws MissingHandlerError
   */
  work(handlers: Handlers<J>, options?: WorkerOptions): Worker;
  /**
   * Cancels a job: one that waits is cancelled at once; one that runs has its `ctx.signal` aborted within a second, wherever it runs.
   */
  cancel(jobId: string, options?: CallOptions): Promise<'cancelled' | 'requested' | 'finished' | 'unknown'>;
  /** Changes the priority of a waiting job. Answers whether it was still waiting. */
  setPriority(jobId: string, priority: number, options?: CallOptions): Promise<boolean>;
  /** Nothing (of the tenant) is claimed until {@link Queue.resume}; what runs goes on, enqueueing too. */
  pause(options?: CallOptions & { readonly tenant?: string }): Promise<void>;
  resume(options?: CallOptions & { readonly tenant?: string }): Promise<void>;
  /** Many jobs at once, by filter: first a count, then an action. */
  bulk(filter: JobFilter): Bulk;
  readonly limits: LimitsControl;
  readonly inspect: Inspect;
  readonly deadLetters: DeadLetters;
  readonly schedules: Schedules<J>;
  /** Opens the store and checks it. Without it the first call does so. @throws AdapterUnavailableError */
  ready(options?: CallOptions): Promise<void>;
  /** Drains the workers of this queue object and lets go of the store. */
  close(): Promise<void>;
  /** {@link Queue.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}
