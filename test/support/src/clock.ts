/** A timer of the manual clock. */
interface Timer {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when it is told to; it satisfies the `Clock` of every Millrace package. */
export interface ManualClock {
  /** Wall-clock milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that only ever grow; a jump of the wall clock does not touch them. */
  monotonic(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Moves both clocks on by `ms`, running due timers in order, with the promises they settle in between. */
  advance(ms: number): Promise<void>;
  /** Moves to the next timer and runs it; false when there is none. */
  advanceToNext(): Promise<boolean>;
  /** Moves only the wall clock, as an administrator or NTP would. May be negative. */
  jump(ms: number): void;
  /** How many timers are waiting. */
  pending(): number;
}

/** Rounds of the microtask and immediate queues that follow a timer, so that promise chains behind it can settle. */
const SETTLE_ROUNDS = 3;

/**
 * Makes a manual clock.
 * @param start Wall-clock milliseconds since the epoch. @default 1_700_000_000_000
 */
export function manualClock(start = 1_700_000_000_000): ManualClock {
  let elapsed = 0;
  let offset = start;
  let order = 0;
  const timers = new Set<Timer>();

  const next = (): Timer | undefined => [...timers].sort((a, b) => a.due - b.due || a.order - b.order)[0];

  async function fire(timer: Timer): Promise<void> {
    elapsed = Math.max(elapsed, timer.due);
    timers.delete(timer);
    timer.run();
    await settled();
  }

  async function advance(ms: number): Promise<void> {
    const end = elapsed + ms;
    await settled();
    for (let timer = next(); timer && timer.due <= end; timer = next()) await fire(timer);
    elapsed = Math.max(elapsed, end);
    await settled();
  }

  async function advanceToNext(): Promise<boolean> {
    await settled();
    const timer = next();
    if (timer) await fire(timer);
    return timer !== undefined;
  }

  return {
    now: () => offset + elapsed,
    monotonic: () => elapsed,
    setTimeout(run, ms) {
      order += 1;
      const timer: Timer = { due: elapsed + Math.max(0, ms), order, run };
      timers.add(timer);
      return timer;
    },
    clearTimeout: (handle) => void timers.delete(handle as Timer),
    advance,
    advanceToNext,
    jump(ms) {
      offset += ms;
    },
    pending: () => timers.size,
  };
}

// The real one, taken before a test replaces the globals with fake timers.
const realSetImmediate = setImmediate;

async function settled(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round += 1) {
    await new Promise<void>((resolve) => {
      realSetImmediate(resolve);
    });
  }
}
