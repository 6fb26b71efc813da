import type { Clock } from './clock.ts';

/** Share of the lease after which an executor that could not extend it stops, so that it has stopped when someone else starts. */
const safeShare = 0.9;

/** What a heartbeat needs. */
export interface HeartbeatOptions {
  readonly clock: Clock;
  /** Length of the lease (ms). */
  readonly lease: number;
  /** Monotonic time at which the lease was asked for. */
  readonly since: number;
  /** False: do not extend, only watch the end. */
  readonly beat: boolean;
  /** Moves the end of the lease; false when it belongs to someone else. */
  extend(): Promise<boolean>;
  /** The lease is lost, or would be before anybody could know. Called at most once. */
  lost(cause: unknown): void;
}

/** Extends a lease every third of it and watches, by the monotonic clock, that it has not run out. Returns the function that stops it. */
export function startHeartbeat({ clock, lease, since, beat, extend, lost }: HeartbeatOptions): () => void {
  let stopped = false;
  let lastError: unknown;
  let beatTimer: unknown;
  let endTimer: unknown;

  const stop = (): void => {
    stopped = true;
    clock.clearTimeout(beatTimer);
    clock.clearTimeout(endTimer);
  };
  const end = (): void => {
    if (stopped) return;
    stop();
    lost(lastError);
  };
  const watchFrom = (start: number): void => {
    clock.clearTimeout(endTimer);
    endTimer = clock.setTimeout(end, Math.max(0, start + lease * safeShare - clock.monotonic()));
  };
  const tick = async (): Promise<void> => {
    const asked = clock.monotonic();
    try {
      const held = await extend();
      if (stopped) return;
      if (!held) return end();
      watchFrom(asked);
    } catch (error) {
      lastError = error;
    }
    if (!stopped) schedule();
  };
  const schedule = (): void => {
    beatTimer = clock.setTimeout(() => void tick(), lease / 3);
  };

  watchFrom(since);
  if (beat) schedule();
  return stop;
}
