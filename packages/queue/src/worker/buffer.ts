import { toMilliseconds } from '../duration.ts';
import type { BatchHandler, Handler } from '../handler.ts';
import type { Attempt } from './attempt.ts';

/** Attempts that may start now, together when their handler takes a batch. */
export interface Startable {
  readonly attempts: readonly Attempt[];
  readonly slots: number;
}

/** Claimed jobs that have not started. */
export interface Buffer {
  readonly size: number;
  add(attempt: Attempt): void;
  /** What fits into `free` slots; undefined: nothing (yet). `now` is asked only where a batch waits for company. */
  next(free: number, now: () => number): Startable | undefined;
  /** Milliseconds until a batch has waited long enough for company. */
  nextLinger(now: number): number | undefined;
  /** Takes out what fails the test. */
  removeWhere(test: (attempt: Attempt) => boolean): Attempt[];
}

/** Whether the handler takes several jobs. */
export function isBatch(handler: Handler | BatchHandler | undefined): handler is BatchHandler {
  return typeof handler === 'object';
}

/** Creates an empty buffer for these handlers. */
export function createBuffer(handlerOf: (name: string) => Handler | BatchHandler | undefined): Buffer {
  let attempts: Attempt[] = [];

  const slotsOf = (attempt: Attempt): number => attempt.definition?.options.slots ?? 1;

  function batchAt(first: Attempt, handler: BatchHandler, now: () => number): Attempt[] | undefined {
    const company = attempts.filter((other) => other.job.name === first.job.name).slice(0, handler.size);
    const waited = now() - first.claimedAt;
    if (company.length < handler.size && waited < toMilliseconds(handler.linger, 'linger')) return undefined;
    return company;
  }

  function next(free: number, now: () => number): Startable | undefined {
    let passed: Set<string> | undefined;
    for (let index = 0; index < attempts.length; index += 1) {
      const attempt = attempts[index] as Attempt;
      const { name } = attempt.job;
      const slots = slotsOf(attempt);
      const handler = handlerOf(name);
      if (!isBatch(handler)) {
        if (slots > free) return undefined;
        if (index === 0) attempts.shift();
        else attempts.splice(index, 1);
        return { attempts: [attempt], slots };
      }
      const together = passed?.has(name) || slots > free ? undefined : batchAt(attempt, handler, now);
      passed ??= new Set();
      passed.add(name);
      if (together === undefined) continue;
      const taken = new Set(together);
      attempts = attempts.filter((other) => !taken.has(other));
      return { attempts: together, slots };
    }
    return undefined;
  }

  return {
    get size() {
      return attempts.length;
    },
    add: (attempt) => void attempts.push(attempt),
    next,
    nextLinger: (now) => {
      let soonest: number | undefined;
      for (const attempt of attempts) {
        const handler = handlerOf(attempt.job.name);
        if (!isBatch(handler)) continue;
        const left = attempt.claimedAt + toMilliseconds(handler.linger, 'linger') - now;
        soonest = Math.min(soonest ?? left, left);
      }
      return soonest === undefined ? undefined : Math.max(0, soonest);
    },
    removeWhere: (test) => {
      const removed = attempts.filter(test);
      if (removed.length > 0) attempts = attempts.filter((attempt) => !test(attempt));
      return removed;
    },
  };
}
