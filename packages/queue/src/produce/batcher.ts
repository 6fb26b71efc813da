import { type Clock, defer } from '../clock.ts';
import type { EnqueueAnswer, NewJob } from '../contract/index.ts';
import type { EnqueuedEvent, QueueInstrumentation, RejectedEvent } from '../instrumentation.ts';
import type { Opened } from '../opened.ts';

/** Sends jobs to the store, those of concurrent callers together. */
export interface Batcher {
  /** Resolves when the store has answered for each of them. @throws StoreUnavailableError */
  send(jobs: readonly NewJob[]): Promise<readonly EnqueueAnswer[]>;
  /** One call of its own: for transactions and flows. */
  sendAlone(jobs: readonly NewJob[], options: AloneOptions): Promise<readonly EnqueueAnswer[]>;
}

/** How jobs are stored that do not travel with others. */
export interface AloneOptions {
  readonly atomic?: boolean;
  readonly transaction?: unknown;
}

/** Most jobs in one call, unless the storage says otherwise, and most calls at a time: more wait and travel together. */
const batchSize = 500;
const maxCalls = 2;
/** Fewer jobs than this travel together. */
const worthHalving = 32;

/** Jobs of one caller; they may travel in several calls. */
interface Waiting {
  readonly jobs: readonly NewJob[];
  readonly answers: EnqueueAnswer[];
  readonly resolve: (answers: readonly EnqueueAnswer[]) => void;
  readonly reject: (error: unknown) => void;
  /** How many have been sent, and how many answered. */
  sent: number;
  answered: number;
}

/** A part of what one caller waits for, in one call. */
interface Portion {
  readonly of: Waiting;
  readonly from: number;
  readonly count: number;
}

/** Creates a {@link Batcher} on a queue. */
export function createBatcher(
  opened: Opened,
  clock: Clock,
  instrumentation: QueueInstrumentation | undefined,
): Batcher {
  const waiting: Waiting[] = [];
  let calls = 0;
  let scheduled = false;
  /** How many calls at a time the storage is worth. */
  let atOnce = 1;
  let most = batchSize;

  function schedule(): void {
    if (scheduled || calls >= maxCalls || waiting.length === 0) return;
    scheduled = true;
    defer(clock, () => {
      scheduled = false;
      void flush();
    });
  }

  /**
   * Callers that wait for their answers all wait for one call, and then all ask again: the store rests while they do. Two halves keep both at work.
   */
  function roomOf(): number {
    if (atOnce === 1 || calls > 0) return most;
    let jobs = 0;
    for (const { jobs: some, sent } of waiting) jobs += some.length - sent;
    return jobs < worthHalving ? most : Math.min(most, Math.ceil(jobs / 2));
  }

  async function flush(): Promise<void> {
    const portions = takePortions(waiting, roomOf());
    if (portions.length === 0) return;
    calls += 1;
    schedule();
    try {
      const answers = await call(jobsOf(portions), {});
      hand(portions, answers);
    } catch (error) {
      for (const { of } of portions) of.reject(error);
    } finally {
      calls -= 1;
      schedule();
    }
  }

  async function call(jobs: readonly NewJob[], options: AloneOptions): Promise<readonly EnqueueAnswer[]> {
    const startedAt = clock.monotonic();
    try {
      const answers = await opened.call((storage) => {
        atOnce = storage.exchangesAtOnce ?? 1;
        most = storage.jobsPerCall ?? batchSize;
        return storage.enqueue({ jobs, ...options });
      });
      if (instrumentation !== undefined) {
        report(instrumentation, opened.queue, jobs, answers, clock.monotonic() - startedAt);
      }
      return answers;
    } catch (error) {
      notify(() => instrumentation?.onStoreError?.({ queue: opened.queue, operation: 'enqueue', error }));
      throw error;
    }
  }

  return {
    send: (jobs) =>
      new Promise((resolve, reject) => {
        if (jobs.length === 0) return resolve([]);
        waiting.push({ jobs, answers: [], resolve, reject, sent: 0, answered: 0 });
        schedule();
      }),
    sendAlone: call,
  };
}

/** Takes out what fits into one call. */
function takePortions(waiting: Waiting[], size: number): Portion[] {
  const portions: Portion[] = [];
  let room = size;
  let done = 0;
  for (const of of waiting) {
    const count = Math.min(room, of.jobs.length - of.sent);
    portions.push({ of, from: of.sent, count });
    of.sent += count;
    room -= count;
    if (of.sent === of.jobs.length) done += 1;
    if (room === 0) break;
  }
  waiting.splice(0, done);
  return portions;
}

function jobsOf(portions: readonly Portion[]): readonly NewJob[] {
  const [first] = portions;
  if (portions.length === 1 && first?.count === first?.of.jobs.length) return first?.of.jobs ?? [];
  const jobs: NewJob[] = [];
  for (const { of, from, count } of portions) {
    for (let index = from; index < from + count; index += 1) jobs.push(of.jobs[index] as NewJob);
  }
  return jobs;
}

/** Gives each caller its answers; who has them all is done. */
function hand(portions: readonly Portion[], answers: readonly EnqueueAnswer[]): void {
  let index = 0;
  for (const { of, from, count } of portions) {
    for (let n = 0; n < count; n += 1) of.answers[from + n] = answers[index + n] as EnqueueAnswer;
    index += count;
    of.answered += count;
    if (of.answered === of.jobs.length) of.resolve(of.answers);
  }
}

/** Runs a hook; instrumentation must never break the queue, so what it throws is dropped. */
export function notify(hook: () => void): void {
  try {
    hook();
  } catch {
    // A broken metric is the instrumentation's to report.
  }
}

type StoredJob = EnqueuedEvent['jobs'][number];
type RejectedJob = RejectedEvent['jobs'][number];

function report(
  instrumentation: QueueInstrumentation,
  queue: string,
  jobs: readonly NewJob[],
  answers: readonly EnqueueAnswer[],
  durationMs: number,
): void {
  const stored: StoredJob[] = [];
  const rejected: RejectedJob[] = [];
  for (let index = 0; index < jobs.length; index += 1) {
    const answer = answers[index];
    if (answer === undefined) continue;
    const { id, name, tenant, bytes } = jobs[index] as NewJob;
    if (answer.status !== 'rejected') stored.push({ id: answer.id, name, tenant, status: answer.status, bytes });
    else rejected.push({ id, name, tenant, ...answer.reason, retryAfter: answer.retryAfter });
  }
  if (stored.length > 0) notify(() => instrumentation.onEnqueued?.({ queue, jobs: stored, durationMs }));
  if (rejected.length > 0) notify(() => instrumentation.onRejected?.({ queue, jobs: rejected }));
}
