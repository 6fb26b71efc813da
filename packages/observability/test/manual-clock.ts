import type { Clock } from '../src/clock.ts';

/** A clock that stands still until it is told to move; timers fire at once when it passes them. */
export function manualClock(start = 1_000_000): Clock & { advance(ms: number): void } {
  let time = start;
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  return {
    now: () => time,
    monotonic: () => time,
    setTimeout: (fn, ms) => {
      const timer = { at: time + ms, fn };
      timers.add(timer);
      return timer;
    },
    clearTimeout: (timer) => timers.delete(timer as { at: number; fn: () => void }),
    advance: (ms) => {
      time += ms;
      for (const timer of [...timers]) {
        if (timer.at > time) continue;
        timers.delete(timer);
        timer.fn();
      }
    },
  };
}
