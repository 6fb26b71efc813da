import type { Clock } from '../clock.ts';
import type { ClaimedJob } from '../contract/job.ts';
import { toMilliseconds } from '../duration.ts';
import { JobDeadlineError, JobStalledError, LeaseLostError, WorkerShutdownError } from '../errors.ts';
import type { JobDefinition } from '../job.ts';

/** One delivery in this worker's hands, from claim to settlement. */
export interface Attempt {
  readonly job: ClaimedJob;
  /** Undefined when this process does not know the job's name. */
  readonly definition: JobDefinition | undefined;
  readonly session: string;
  /** Monotonic time at which the claiming call was sent: the store's lease cannot have begun earlier. */
  readonly claimedAt: number;
  readonly signal: AbortSignal;
  /** Whether the signal has aborted; asking does not make the signal. */
  readonly aborted: boolean;
  /** Monotonic; undefined until a handler has begun. */
  startedAt: number | undefined;
  /** Cost units that the handler reported. */
  cost: number | undefined;
  progress: { value: unknown } | undefined;
  /** References to logs that have not been told to the store. */
  logs: string[] | undefined;
  /** Nothing more is to be said about it to the store: settled, or its lease is lost. */
  over: boolean;
  /** Monotonic; undefined until the handler has ended. */
  endedAt: number | undefined;
  /** Aborts the handler's signal; the first reason wins. */
  abort(reason: Error): void;
  /** Shows that the handler is alive. */
  touch(): void;
  /** The lease's own end is now this many milliseconds after the monotonic time `from`. */
  extendTo(from: number, visibility: number): void;
  /** Whether its own lease (visibility) may be over. */
  isExpired(): boolean;
  /** Starts the timers of `deadline` and `stall`. */
  begin(): void;
  /** Calls `fn` after `ms` milliseconds, unless the attempt ends first. */
  expectEnd(ms: number, fn: () => void): void;
  /** Stops all timers. */
  end(): void;
}

/** What attempts share. */
export interface AttemptParts {
  readonly clock: Clock;
  /** Share of a lease that is kept back as a margin. */
  readonly marginShare: number;
  /** The handler was aborted for a reason after which its ending must not be waited for without bound. */
  readonly onAbort: (attempt: Attempt) => void;
}

/** Creates an attempt; its lease is being watched from now on. */
export function createAttempt(
  parts: AttemptParts,
  job: ClaimedJob,
  definition: JobDefinition | undefined,
  origin: { readonly session: string; readonly claimedAt: number },
): Attempt {
  const attempt = new LiveAttempt(parts, job, definition, origin);
  if (job.visibility !== undefined) attempt.extendTo(origin.claimedAt, job.visibility);
  return attempt;
}

type TimerName = 'lease' | 'deadline' | 'stall' | 'end';

/** Signal and timers are made when first needed: most jobs need neither, and they cost more than all the rest. */
class LiveAttempt implements Attempt {
  readonly #parts: AttemptParts;
  readonly job: ClaimedJob;
  readonly definition: JobDefinition | undefined;
  readonly session: string;
  readonly claimedAt: number;
  startedAt: number | undefined;
  endedAt: number | undefined;
  cost: number | undefined;
  progress: { value: unknown } | undefined;
  logs: string[] | undefined;
  over = false;
  #controller: AbortController | undefined;
  #leaseEndsAt: number | undefined;
  #timers: Map<TimerName, unknown> | undefined;

  constructor(
    parts: AttemptParts,
    job: ClaimedJob,
    definition: JobDefinition | undefined,
    origin: { readonly session: string; readonly claimedAt: number },
  ) {
    this.#parts = parts;
    this.job = job;
    this.definition = definition;
    this.session = origin.session;
    this.claimedAt = origin.claimedAt;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#controller?.signal.aborted === true;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
    this.#parts.onAbort(this);
  }

  touch(): void {
    const stall = this.definition?.options.stall;
    if (stall === undefined || this.over) return;
    const ms = toMilliseconds(stall, 'stall');
    this.#setTimer('stall', ms, () => this.abort(stalled(this.job, ms)));
  }

  extendTo(from: number, visibility: number): void {
    this.#leaseEndsAt = from + visibility * (1 - this.#parts.marginShare);
    const left = this.#leaseEndsAt - this.#parts.clock.monotonic();
    this.#setTimer('lease', Math.max(0, left), () => this.abort(notExtended(this.job)));
  }

  isExpired(): boolean {
    return this.#leaseEndsAt !== undefined && this.#leaseEndsAt <= this.#parts.clock.monotonic();
  }

  begin(): void {
    this.startedAt = this.#parts.clock.monotonic();
    this.touch();
    const deadline = this.definition?.options.deadline;
    if (deadline === undefined) return;
    const ms = toMilliseconds(deadline, 'deadline');
    this.#setTimer('deadline', ms, () => this.abort(tooLong(this.job, ms)));
  }

  expectEnd(ms: number, fn: () => void): void {
    this.#setTimer('end', ms, fn);
  }

  end(): void {
    if (this.#timers === undefined) return;
    for (const handle of this.#timers.values()) this.#parts.clock.clearTimeout(handle);
    this.#timers = undefined;
  }

  #setTimer(name: TimerName, ms: number, fn: () => void): void {
    const { clock } = this.#parts;
    this.#timers ??= new Map();
    const known = this.#timers.get(name);
    if (known !== undefined) clock.clearTimeout(known);
    this.#timers.set(name, clock.setTimeout(fn, ms));
  }
}

const stalled = (job: ClaimedJob, ms: number): Error =>
  new JobStalledError(
    `Job ${job.id} (${job.name}) showed no progress for ${ms} ms. Call ctx.progress() or ctx.touch() more often, or raise \`stall\`.`,
  );
const tooLong = (job: ClaimedJob, ms: number): Error =>
  new JobDeadlineError(`Job ${job.id} (${job.name}) ran longer than its deadline of ${ms} ms.`);
const notExtended = (job: ClaimedJob): Error =>
  new LeaseLostError(
    `The lease of job ${job.id} (${job.name}) was not extended in time. Call ctx.extend() more often, or raise \`visibility\`.`,
  );

/** The reason for the handlers of a worker that shuts down. */
export function shutdownReason(): Error {
  return new WorkerShutdownError(
    'The worker is shutting down; the job goes back to the queue and the attempt does not count.',
  );
}
