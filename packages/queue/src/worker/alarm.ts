import type { Clock } from '../clock.ts';

/** One timer that is set again and again; the newest time counts. */
export interface Alarm {
  /** Rings at this monotonic time. */
  set(at: number): void;
  clear(): void;
}

/** Creates an alarm. Setting it anew costs no timer as long as the present one rings no earlier than 1 ms before. */
export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let handle: unknown;
  let ringsAt = Number.POSITIVE_INFINITY;

  const clear = (): void => {
    if (handle !== undefined) clock.clearTimeout(handle);
    handle = undefined;
  };

  return {
    clear,
    set: (at) => {
      if (handle !== undefined && Math.abs(at - ringsAt) < 1) return;
      clear();
      ringsAt = at;
      handle = clock.setTimeout(
        () => {
          handle = undefined;
          ring();
        },
        Math.max(1, at - clock.monotonic()),
      );
    },
  };
}
