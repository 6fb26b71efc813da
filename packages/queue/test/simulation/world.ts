import type { Clock } from '@millrace/queue';

/** Random numbers that a seed repeats (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A process of the simulation: it can be paused (its timers wait), killed (they are gone), and cut off from the store. */
export interface Process {
  readonly clock: Clock;
  readonly name: string;
  alive: boolean;
  pausedUntil: number;
  cutUntil: number;
}

interface Timer {
  readonly process: Process | undefined;
  readonly fn: () => void;
  at: number;
  readonly order: number;
  cancelled: boolean;
}

/** Virtual time. Nothing in it waits for the real clock. */
export interface World {
  readonly time: () => number;
  /** Moves the wall clock, not the monotonic one. */
  jump(ms: number): void;
  /** A timer of the outside: the network, the store, the script of the faults. */
  after(ms: number, fn: () => void): void;
  spawn(name: string): Process;
  /** Runs timers in order until `done` says so or nothing is left. Answers false when time or steps ran out. */
  run(done: () => boolean, until: number): Promise<boolean>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Steps after which a run is given up as endless. */
const mostSteps = 20_000;

/** Creates a world at time 0. */
export function createWorld(): World {
  let now = 0;
  let wallOffset = 1_700_000_000_000;
  let orders = 0;
  const timers: Timer[] = [];

  function add(process: Process | undefined, ms: number, fn: () => void): Timer {
    orders += 1;
    const timer: Timer = { process, fn, at: now + Math.max(0, ms), order: orders, cancelled: false };
    // Sorted from the end: few timers, and most are set for soon.
    let index = timers.length;
    while (index > 0 && comesFirst(timers[index - 1] as Timer, timer)) index -= 1;
    timers.splice(index, 0, timer);
    return timer;
  }

  /** The list runs from the last to the first. */
  function comesFirst(a: Timer, b: Timer): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  function spawn(name: string): Process {
    const process: Process = {
      name,
      alive: true,
      pausedUntil: 0,
      cutUntil: 0,
      clock: {
        now: () => now + wallOffset,
        monotonic: () => now,
        setTimeout: (fn, ms) => add(process, ms, fn),
        clearTimeout: (handle) => {
          (handle as Timer).cancelled = true;
        },
        defer: (fn) => void add(process, 0, fn),
      },
    };
    return process;
  }

  async function fire(timer: Timer): Promise<void> {
    const { process } = timer;
    if (timer.cancelled || process?.alive === false) return;
    if (process !== undefined && process.pausedUntil > now) {
      add(process, process.pausedUntil - now, () => !timer.cancelled && timer.fn());
      return;
    }
    timer.fn();
    await turn();
  }

  return {
    time: () => now,
    jump: (ms) => {
      wallOffset += ms;
    },
    after: (ms, fn) => void add(undefined, ms, fn),
    spawn,
    run: async (done, until) => {
      await turn();
      for (let step = 0; step < mostSteps; step += 1) {
        if (done()) return true;
        const timer = timers.pop();
        if (timer === undefined || timer.at > until) return done();
        now = Math.max(now, timer.at);
        await fire(timer);
      }
      return false;
    },
  };
}
