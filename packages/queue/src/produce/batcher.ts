import { type Clock, defer } from '../clock.ts';
import type { EnqueueAnswer, NewJob } from '../contract/index.ts';
import type { QueueInstrumentation } from '../instrumentation.ts';
import type { Opened } from '../opened.ts';

/** Sends jobs to the store, those of concurrent callers together. */
export interface Batcher {
  /** Resolves when the store has answered. @throws StoreUnavailableError */
  send(job: NewJob): Promise<EnqueueAnswer>;
  /** One call of its own: for transactions and flows. */
  sendAlone(
    jobs: readonly NewJob[],
    options: { readonly atomic?: boolean; readonly transaction?: unknown },
  ): Promise<readonly EnqueueAnswer[]>;
}

/** Most jobs in one call, and most calls at a time: more wait and travel together. */
const batchSize = 500;
const maxCalls = 2;

interface Waiting {
  readonly job: NewJob;
  readonly resolve: (answer: EnqueueAnswer) => void;
  readonly reject: (error: unknown) => void;
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

  function schedule(): void {
    if (scheduled || calls >= maxCalls || waiting.length === 0) return;
    scheduled = true;
    defer(clock, () => {
      scheduled = false;
      void flush();
    });
  }

  async function flush(): Promise<void> {
    const batch = waiting.splice(0, batchSize);
    if (batch.length === 0) return;
    calls += 1;
    schedule();
    try {
      const answers = await call(
        batch.map(({ job }) => job),
        {},
      );
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as EnqueueAnswer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      calls -= 1;
      schedule();
    }
  }

  async function call(
    jobs: readonly NewJob[],
    options: { readonly atomic?: boolean; readonly transaction?: unknown },
  ): Promise<readonly EnqueueAnswer[]> {
    const startedAt = clock.monotonic();
    try {
      const answers = await opened.call((storage) => storage.enqueue({ jobs, ...options }));
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
    send: (job) =>
      new Promise((resolve, reject) => {
        waiting.push({ job, resolve, reject });
        schedule();
      }),
    sendAlone: call,
  };
}

/** Runs a hook; instrumentation must never break the queue, so what it throws is dropped. */
export function notify(hook: () => void): void {
  try {
    hook();
  } catch {
    // A broken metric is the instrumentation's to report.
  }
}

function report(
  instrumentation: QueueInstrumentation,
  queue: string,
  jobs: readonly NewJob[],
  answers: readonly EnqueueAnswer[],
  durationMs: number,
): void {
  const paired = jobs.map((job, index) => ({ job, answer: answers[index] }));
  const stored = paired.flatMap(({ job: { name, tenant, bytes }, answer }) =>
    answer === undefined || answer.status === 'rejected'
      ? []
      : [{ id: answer.id, name, tenant, status: answer.status, bytes }],
  );
  const rejected = paired.flatMap(({ job: { id, name, tenant }, answer }) =>
    answer?.status === 'rejected' ? [{ id, name, tenant, ...answer.reason, retryAfter: answer.retryAfter }] : [],
  );
  if (stored.length > 0) notify(() => instrumentation.onEnqueued?.({ queue, jobs: stored, durationMs }));
  if (rejected.length > 0) notify(() => instrumentation.onRejected?.({ queue, jobs: rejected }));
}
