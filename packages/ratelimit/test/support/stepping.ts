import type { Clock, Store } from '@millrace/ratelimit';

/** Counts the points at which a call waits: before and after each operation of its store, and whenever it sets a timer. */
export class Steps {
  /** Steps seen so far. */
  taken = 0;
  #at = Number.POSITIVE_INFINITY;
  #action: () => void = () => {};

  /** Runs `action` at step number `at`, counted from now. */
  arm(at: number, action: () => void): void {
    this.taken = 0;
    this.#at = at;
    this.#action = action;
  }

  readonly step = (): void => {
    this.taken += 1;
    if (this.taken === this.#at) this.#action();
  };
}

type Operation = (...args: never[]) => unknown;

/** A store that takes a step before and after each operation; operations on locks are remembered. */
export function steppingStore(store: Store, steps: Steps, locks: Set<string>): Store {
  const parts = ['rates', 'permits', 'ledger', 'circuits', 'cache', 'peers'] as const;
  const wrapped = Object.fromEntries(parts.map((part) => [part, steppingPart(store[part], steps, locks)]));
  return { ...store, ...wrapped } as Store;
}

function steppingPart<T extends object>(part: T, steps: Steps, locks: Set<string>): T {
  return new Proxy(part, {
    get(target, name) {
      const operation = Reflect.get(target, name) as Operation;
      return async (...args: never[]) => {
        if (name === 'lock') locks.add(String(args[0]));
        steps.step();
        const answer = await operation.apply(target, args);
        steps.step();
        return answer;
      };
    },
  });
}

/** The real clock, stepping at each timer shorter than `ignored` ms; `waiting()` tells how many of those are set. */
export function steppingClock(steps: Steps, ignored: number): Clock & { waiting(): number } {
  const timers = new Set<unknown>();
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimeout(run, ms) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        run();
      }, ms);
      if (ms < ignored) {
        timers.add(timer);
        queueMicrotask(steps.step);
      }
      return timer;
    },
    clearTimeout(timer) {
      timers.delete(timer);
      clearTimeout(timer as NodeJS.Timeout);
    },
    waiting: () => timers.size,
  };
}
