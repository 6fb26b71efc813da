import { setImmediate as nextTurn } from 'node:timers/promises';

/** A queue library at work on the bench's Redis. All do the same: the same payloads, handlers that do nothing. */
export interface Contender {
  readonly name: string;
  /** Enqueues one job per call, `inFlight` calls at a time. */
  enqueueOne(count: number, inFlight: number, options?: EnqueueShape): Promise<void>;
  /** Enqueues in the library's bulk call: 1,000 jobs a call, 4 calls at a time. */
  enqueueBulk(count: number, options?: EnqueueShape): Promise<void>;
  /** Runs `count` jobs that wait already; resolves when the last handler has returned. */
  process(count: number, options: ProcessOptions): Promise<void>;
  /** Milliseconds from the call of enqueue to the start of the handler, for `samples` jobs one after another, with an idle worker. */
  pickup(samples: number): Promise<readonly number[]>;
  /** Resolves when the workers of earlier processing have left: a trial that began beside them would measure their end too. */
  atRest(): Promise<void>;
  close(): Promise<void>;
}

/** How jobs differ from each other. */
export interface EnqueueShape {
  /** Number of tenants, in turns; only where the library has them. */
  readonly tenants?: number;
  /** Number of priority values, in turns. */
  readonly priorities?: number;
}

/** How jobs are run. */
export interface ProcessOptions {
  readonly concurrency: number;
  /** Claim ahead of free slots, where the library can. */
  readonly prefetch?: boolean;
}

/** A payload of about 200 bytes of JSON. */
export function payload(id: number): { readonly id: number; readonly t0: number; readonly pad: string } {
  return { id, t0: Date.now(), pad };
}

const pad = 'x'.repeat(160);

/** Runs `work` for 0 … count - 1, `inFlight` at a time. */
export async function inFlightOf(
  count: number,
  inFlight: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

/** Numbers from `from` on. */
export function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** A promise that resolves at the `count`-th call of `step`. */
export function countdown(count: number): { readonly step: () => void; readonly done: Promise<void> } {
  let left = count;
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const step = (): void => {
    left -= 1;
    if (left === 0) finish();
  };
  return { step, done };
}

/** Milliseconds between two pick-ups: long enough for the worker to be idle again. */
export const idlePause = 5;

/** Workers that are on their way out. */
export interface Leavers {
  /** Lets the caller stop its clock first, then closes a worker. */
  add(close: () => PromiseLike<unknown> | undefined): void;
  /** Resolves when all have left. */
  gone(): Promise<void>;
}

export function createLeavers(): Leavers {
  const leaving: Promise<unknown>[] = [];
  return {
    add: (close) => void leaving.push(nextTurn().then(close)),
    gone: async () => void (await Promise.all(leaving.splice(0))),
  };
}
