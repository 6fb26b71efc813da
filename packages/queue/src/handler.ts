import type { JobState } from './contract/job.ts';
import type { Duration } from './duration.ts';
import type { JobName, Jobs, Payload } from './job.ts';

/** A job as its handler sees it. */
export interface Job<P = unknown> {
  readonly id: string;
  readonly name: string;
  readonly payload: P;
  /** `''` when it was enqueued without one. */
  readonly tenant: string;
  readonly priority: number;
  /** 1-based. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Store time, milliseconds since 1970. */
  readonly enqueuedAt: number;
}

/** How a child ended. */
export interface ChildResult {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  readonly result?: unknown;
  readonly error?: string;
}

/** What a handler can do besides returning. */
export interface HandlerContext {
  /**
   * Aborts when the handler must stop; `reason` tells why: LeaseLostError, JobCancelledError, JobDeadlineError, JobStalledError
   * or WorkerShutdownError. Pass it to everything that takes a signal.
   */
  readonly signal: AbortSignal;
  /** Grows with every claim in the queue. Guard writes of your own with it: `UPDATE … WHERE fence < $fence`. */
  readonly fence: number;
  readonly attempt: number;
  readonly jobId: string;
  /** W3C traceparent of the producer. */
  readonly traceparent: string | undefined;
  /** Publishes a small JSON value, seen by `queue.inspect.job()`, and shows that the handler is alive. */
  progress(value: unknown): void;
  /** Notes the name of a log kept elsewhere (at most 200 characters); the job keeps the last 100. */
  log(reference: string): void;
  /** Shows that the handler is alive, for the job's `stall` option. */
  touch(): void;
  /**
   * Moves the end of the job's own lease (option `visibility`) to this long from now.
   * @throws StaleLeaseError when the lease is over
   */
  extend(duration: Duration): Promise<void>;
  /** Reports the actual cost units of this run. */
  cost(units: number): void;
  /** Ends the attempt: run again after `duration`, not counted. @throws SnoozeError always */
  snooze(duration: Duration): never;
  /** How the children of this job ended. Empty when it has none. */
  children(): Promise<readonly ChildResult[]>;
}

/** Does the work of one job; what it returns is the result. */
export type Handler<P = unknown> = (job: Job<P>, ctx: HandlerContext) => unknown;

/** Does the work of several jobs at once. Made by {@link batch}. */
export interface BatchHandler<P = unknown> {
  readonly size: number;
  readonly linger: Duration;
  readonly run: (jobs: readonly Job<P>[], contexts: readonly HandlerContext[]) => unknown;
}

/** Options of {@link batch}. */
export interface BatchOptions {
  /** Most jobs in one call. @default 100 */
  readonly size?: number;
  /** How long the first job waits for company. @default 0 (only what is there already) */
  readonly linger?: Duration;
}

/**
 * A handler that takes several jobs of one name at once. It may return an array with a result (or an Error, for a failure) per job;
 * if it throws, all of them have failed.
 *
 * @example
 * queue.work({ index: batch((jobs) => search.index(jobs.map((job) => job.payload)), { size: 500 }) });
 */
export function batch<P>(run: BatchHandler<P>['run'], options: BatchOptions = {}): BatchHandler<P> {
  return { run, size: options.size ?? 100, linger: options.linger ?? 0 };
}

/** A handler for each job of the queue. */
export type Handlers<J extends Jobs> = {
  readonly [N in JobName<J>]: Handler<Payload<J, N>> | BatchHandler<Payload<J, N>>;
};
