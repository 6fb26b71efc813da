import type { Clock } from '../clock.ts';
import { type Codec, encodeValue } from '../codec.ts';
import type { ClaimedJob } from '../contract/job.ts';
import { JobCancelledError, LeaseLostError } from '../errors.ts';
import type { BatchHandler, Handler } from '../handler.ts';
import type { QueueInstrumentation } from '../instrumentation.ts';
import type { JobDefinition } from '../job.ts';
import type { Opened } from '../opened.ts';
import { type Attempt, type AttemptParts, createAttempt } from './attempt.ts';
import { type Buffer, createBuffer, isBatch } from './buffer.ts';
import { createContext } from './context.ts';
import { type Ending, endingOf, toSettlement } from './failure.ts';
import type { Exchanged, Link, LossReason } from './link.ts';
import { createPrefetch, type Prefetch } from './prefetch.ts';
import { reportClaimed, reportExchange, reportLost } from './report.ts';
import { type RunParts, runBatch, runOne } from './run.ts';
import type { WorkerSettings } from './settings.ts';

/** A handler of any job. */
export type AnyHandler = Handler | BatchHandler;

/** What a worker gets from its queue. */
export interface WorkerParts {
  readonly queue: string;
  readonly opened: Opened;
  readonly clock: Clock;
  readonly random: () => number;
  readonly makeId: () => string;
  readonly codec: Codec;
  readonly maxPayloadBytes: number;
  readonly instrumentation: QueueInstrumentation | undefined;
  readonly definitions: ReadonlyMap<string, JobDefinition>;
  readonly onDueSchedules: (keys: readonly string[]) => void;
}

/** How long an aborted handler is waited for before its ending is decided without it. */
const abortGrace = 5_000;

/** The jobs in a worker's hands: it starts what has been claimed, and says how it ended. */
export class Crew {
  readonly #parts: WorkerParts;
  readonly #settings: WorkerSettings;
  readonly #handlers: Readonly<Record<string, AnyHandler>>;
  readonly #buffer: Buffer;
  readonly #prefetch: Prefetch;
  readonly #attemptParts: AttemptParts;
  readonly #runParts: RunParts;
  readonly #largestBatch: number;
  /** Attempts whose settlement the store has not answered, by fence. */
  readonly #held = new Map<number, Attempt>();
  readonly #time = (): number => this.#now();
  #link: Link | undefined;
  #usedSlots = 0;
  #idle: (() => void)[] = [];
  concurrency: number;
  /** Draining: no job is claimed or started. */
  closed = false;
  paused = false;

  constructor(parts: WorkerParts, handlers: Readonly<Record<string, AnyHandler>>, settings: WorkerSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#handlers = handlers;
    this.concurrency = settings.concurrency;
    this.#buffer = createBuffer((name) => this.#handlerOf(name));
    this.#prefetch = createPrefetch(settings.prefetch);
    this.#largestBatch = Math.max(
      0,
      ...Object.values(handlers).map((handler) => (isBatch(handler) ? handler.size : 0)),
    );
    this.#attemptParts = {
      clock: parts.clock,
      marginShare: settings.margin / settings.lease,
      onAbort: (attempt) => this.#expectEnd(attempt),
    };
    this.#runParts = { ...parts, context: (attempt) => this.#context(attempt) };
  }

  /** The link is made after the crew, because each needs the other. */
  connect(link: Link): void {
    this.#link = link;
  }

  get running(): number {
    return this.#usedSlots;
  }

  get buffered(): number {
    return this.#buffer.size;
  }

  get closedByGate(): boolean {
    return !this.#settings.gate();
  }

  /** How many more jobs to claim. */
  wanted(): number {
    if (this.closed || this.paused) return 0;
    const room = this.concurrency - this.#usedSlots + this.#prefetch.target(this.concurrency) - this.#buffer.size;
    const batches = this.#largestBatch > 0 && this.#usedSlots < this.concurrency ? this.#largestBatch - 1 : 0;
    const wanted = Math.max(0, room + batches);
    return wanted > 0 && this.#settings.gate() ? wanted : 0;
  }

  /** How many jobs are held at most: running, and waiting to run. */
  capacity(): number {
    return this.concurrency + this.#prefetch.target(this.concurrency);
  }

  /** Milliseconds until a batch has waited long enough, or a buffered job too long. */
  nextTick(): number | undefined {
    if (this.#buffer.size === 0) return undefined;
    return Math.min(this.#prefetch.patience(), this.#buffer.nextLinger(this.#now()) ?? Number.POSITIVE_INFINITY);
  }

  /** Starts what fits and gives back what has been waiting here for too long. */
  tick(): void {
    this.#start();
    if (this.#buffer.size === 0) return;
    const since = this.#now() - this.#prefetch.patience();
    const handlerOf = (attempt: Attempt): AnyHandler | undefined => this.#handlerOf(attempt.job.name);
    this.giveBack((attempt) => attempt.claimedAt < since && !isBatch(handlerOf(attempt)));
  }

  /** Gives buffered jobs back; no attempt counts. */
  giveBack(test: (attempt: Attempt) => boolean = () => true): void {
    for (const attempt of this.#buffer.removeWhere(test)) this.#settle(attempt, { kind: 'release' });
  }

  accept(exchanged: Exchanged): void {
    const { answer, parcel, request, sentAt, tripMs } = exchanged;
    this.#prefetch.answered(tripMs);
    for (const { attempt } of parcel.settle) this.#held.delete(attempt.job.fence);
    for (const job of answer.claimed) this.#take(job, request.session, sentAt);
    for (const { fence } of answer.cancelRequests) this.#cancel(fence);
    const { instrumentation, queue } = this.#parts;
    if (instrumentation !== undefined) reportExchange(instrumentation, queue, exchanged, this.#now());
    if (answer.dueSchedules.length > 0 && !this.closed) this.#parts.onDueSchedules(answer.dueSchedules);
    // The answer to a call that was under way when the drain began may bring jobs: nobody would wait for them.
    if (this.closed) this.giveBack();
    else this.#start();
  }

  /** Jobs that came without being asked for: who wants none any more gives them back. */
  receive(jobs: readonly ClaimedJob[], session: string, claimedAt: number): void {
    const unwanted = this.closed || this.paused || this.closedByGate;
    const fences = new Set(jobs.map(({ fence }) => fence));
    for (const job of jobs) this.#take(job, session, claimedAt);
    const { instrumentation, queue } = this.#parts;
    if (instrumentation !== undefined) reportClaimed(instrumentation, queue, jobs, 0);
    if (unwanted) this.giveBack(({ job }) => fences.has(job.fence));
    else this.#start();
  }

  /** Every lease is lost: handlers are told, and nothing they do is reported any more. */
  lose(reason: LossReason): void {
    const lost = [...this.#held.values()];
    this.#held.clear();
    this.#buffer.removeWhere(() => true);
    for (const attempt of lost) {
      attempt.over = true;
      attempt.end();
      attempt.abort(new LeaseLostError('The worker lost its session: another worker may hold the job now.'));
    }
    reportLost(this.#parts.instrumentation, this.#parts.queue, lost, reason);
  }

  /** Aborts every running handler. */
  abortAll(reason: () => Error): void {
    for (const attempt of this.#held.values()) if (attempt.startedAt !== undefined) attempt.abort(reason());
  }

  /** The end of a drain: what handlers have not settled by now goes back, no attempt counts. */
  releaseHeld(): void {
    for (const attempt of this.#held.values()) this.#settle(attempt, { kind: 'release' });
  }

  /** Resolves when no handler runs. */
  whenIdle(): Promise<void> {
    if (this.#usedSlots === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #now(): number {
    return this.#parts.clock.monotonic();
  }

  #handlerOf(name: string): AnyHandler | undefined {
    return Object.hasOwn(this.#handlers, name) ? this.#handlers[name] : undefined;
  }

  #take(job: ClaimedJob, session: string, claimedAt: number): void {
    const definition = this.#parts.definitions.get(job.name);
    const attempt = createAttempt(this.#attemptParts, job, definition, { session, claimedAt });
    this.#held.set(job.fence, attempt);
    this.#buffer.add(attempt);
  }

  #cancel(fence: number): void {
    const attempt = this.#held.get(fence);
    if (attempt === undefined || attempt.over) return;
    const [waiting] = this.#buffer.removeWhere((other) => other === attempt);
    if (waiting !== undefined) this.#settle(waiting, { kind: 'cancelled' });
    else attempt.abort(new JobCancelledError(`Job ${attempt.job.id} (${attempt.job.name}) was cancelled.`));
  }

  #start(): void {
    if (this.#buffer.size === 0 || this.#link?.holdsLease() === false) return;
    for (;;) {
      const free = this.#usedSlots === 0 ? Number.POSITIVE_INFINITY : this.concurrency - this.#usedSlots;
      const next = free > 0 ? this.#buffer.next(free, this.#time) : undefined;
      if (next === undefined) return;
      const live = this.#liveOf(next.attempts);
      if (live.length === 0) continue;
      this.#usedSlots += next.slots;
      this.#run(live, next.slots);
    }
  }

  /** Without those whose own lease may be over. */
  #liveOf(attempts: readonly Attempt[]): readonly Attempt[] {
    if (!attempts.some((attempt) => attempt.isExpired())) return attempts;
    const live: Attempt[] = [];
    for (const attempt of attempts) {
      if (attempt.isExpired()) this.#abandon(attempt);
      else live.push(attempt);
    }
    return live;
  }

  #run(attempts: readonly Attempt[], slots: number): void {
    const [first] = attempts as [Attempt, ...Attempt[]];
    const handler = this.#handlerOf(first.job.name);
    if (isBatch(handler) && first.definition !== undefined) {
      void this.#runBatch(attempts, first.definition, handler, slots);
      return;
    }
    runOne(this.#runParts, first, handler as Handler, (ending) => {
      try {
        this.#ended(first, ending);
      } finally {
        this.#free(slots);
      }
    });
  }

  async #runBatch(
    attempts: readonly Attempt[],
    definition: JobDefinition,
    handler: BatchHandler,
    slots: number,
  ): Promise<void> {
    try {
      const ended = (attempt: Attempt, ending: Ending): void => this.#ended(attempt, ending);
      await runBatch(this.#runParts, attempts, definition, handler, ended);
    } finally {
      this.#free(slots);
    }
  }

  #free(slots: number): void {
    this.#usedSlots -= slots;
    if (this.#usedSlots === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.#start();
    this.#link?.wake();
  }

  #ended(attempt: Attempt, ending: Ending): void {
    attempt.endedAt = this.#now();
    if (attempt.startedAt !== undefined) this.#prefetch.ran(attempt.endedAt - attempt.startedAt);
    this.#settle(attempt, ending);
  }

  #settle(attempt: Attempt, ending: Ending): void {
    if (attempt.over) return;
    attempt.over = true;
    attempt.end();
    const { id, fence } = attempt.job;
    this.#link?.outbox.settle(attempt, toSettlement(id, fence, ending, attempt.cost));
    this.#link?.wake();
  }

  /** A handler that ignores its signal must not hold the job for ever: after a grace the attempt ends without it. */
  #expectEnd(attempt: Attempt): void {
    const { clock, random } = this.#parts;
    if (attempt.over || attempt.startedAt === undefined) return;
    if (attempt.signal.reason instanceof LeaseLostError) {
      this.#abandon(attempt);
      return;
    }
    attempt.expectEnd(abortGrace, () => {
      const { attempt: number, maxAttempts } = attempt.job;
      const options = attempt.definition?.options ?? {};
      this.#settle(
        attempt,
        endingOf(attempt.signal.reason, { attempt: number, maxAttempts, options, now: clock.now(), random }),
      );
    });
  }

  /** Its own lease (visibility) ended: the store has the job back, or will in a moment. */
  #abandon(attempt: Attempt): void {
    attempt.over = true;
    attempt.end();
    this.#held.delete(attempt.job.fence);
    reportLost(this.#parts.instrumentation, this.#parts.queue, [attempt], 'visibility');
  }

  #context(attempt: Attempt): ReturnType<typeof createContext> {
    const { codec, opened } = this.#parts;
    return createContext(
      {
        codec,
        changed: (changed) => void this.#publish(changed),
        extend: (extended, visibility) => {
          const done = this.#link?.outbox.extend(extended, visibility) ?? Promise.resolve();
          this.#link?.wake();
          return done;
        },
        children: (parentId) => opened.call((storage) => storage.control('children', { parentId })),
      },
      attempt,
    );
  }

  async #publish(attempt: Attempt): Promise<void> {
    if (attempt.over) return;
    const { progress } = attempt;
    attempt.progress = undefined;
    const value = progress === undefined ? undefined : await encodeValue(this.#parts.codec, progress.value);
    this.#link?.outbox.progress(attempt, value, attempt.logs?.splice(0) ?? []);
  }
}
