import {
  createQueue,
  defineJob,
  type JobDefinition,
  type JobOptions,
  type Queue,
  type QueueOptions,
} from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { z } from 'zod';

/** A schema that any JSON value fits. */
export const anything: z.ZodUnknown = z.unknown();

/** The one job of most tests. */
export function workJob(options: JobOptions = {}): JobDefinition<'work', z.ZodObject<{ n: z.ZodNumber }>> {
  return defineJob('work', z.object({ n: z.number() }), options);
}

export type WorkQueue = Queue<readonly [ReturnType<typeof workJob>]>;

/** A queue in memory with the job `work`. */
export function workQueue(
  job: JobOptions = {},
  options: Partial<Omit<QueueOptions<readonly []>, 'jobs'>> = {},
): WorkQueue {
  return createQueue({ adapter: memoryAdapter(), ...options, jobs: [workJob(job)] });
}

/** A promise with its handles. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (reason: unknown) => void;
}

/** Creates a {@link Deferred}. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T | PromiseLike<T>) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve: (value) => resolve(value), reject: (reason) => reject(reason) };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });
}
