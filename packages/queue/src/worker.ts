import type { Duration } from './duration.ts';

/** Options of `queue.work()`. */
export interface WorkerOptions {
  /** Slots: runs at one time (a job may take more than one, see `slots` of defineJob). @default 10 */
  readonly concurrency?: number;
  /** How long the worker's leases outlive its last sign of life. @default '15s' */
  readonly lease?: Duration;
  /** How long before the end of an unrenewed lease `ctx.signal` aborts. @default lease / 5 */
  readonly margin?: Duration;
  /** Longest time between two looks at the store; hints make most looks much earlier. @default '500ms' */
  readonly pollInterval?: Duration;
  /** Jobs claimed beyond the free slots. `auto`: 0 unless handlers are so quick that the store's answers are what they wait for. @default 'auto' */
  readonly prefetch?: 'auto' | number;
  /** Claims nothing while it answers false: a breaker is open, memory or disk is short. Asked before each claim. @default always open */
  readonly gate?: () => boolean;
  /** How long the event loop may be blocked before the heartbeat thread gives the worker up. @default '5m' */
  readonly blockedLimit?: Duration;
  /** How long a call to the store may take before it counts as failed. @default lease / 3 */
  readonly callTimeout?: Duration;
  /** How long `drain()` (and `await using`) waits for handlers unless told otherwise. @default '30s' */
  readonly drainTimeout?: Duration;
}

/** Options of {@link Worker.drain}. */
export interface DrainOptions {
  /** Wait this long for handlers; then abort them (`WorkerShutdownError`) and give their jobs back. @default WorkerOptions.drainTimeout */
  readonly timeout?: Duration;
  /** Aborting it is the same as `timeout` running out. */
  readonly signal?: AbortSignal;
}

/** How a worker is doing. */
export interface WorkerHealth {
  /** `ok`; `unreachable`: the store has not answered lately; `paused`: by pause() or by the gate; `draining`; `stopped`. */
  readonly status: 'ok' | 'unreachable' | 'paused' | 'draining' | 'stopped';
  readonly running: number;
  /** Claimed but not started. */
  readonly buffered: number;
  readonly concurrency: number;
  /** Milliseconds since the store last answered; undefined before the first answer. */
  readonly lastAnswerAge: number | undefined;
  readonly lastError: Error | undefined;
  readonly session: string;
}

/** Claims jobs and runs their handlers. Made by `queue.work()`. */
export interface Worker extends AsyncDisposable {
  /**
   * Stops claiming, gives back what has not started, waits for handlers, aborts those that take longer, gives their jobs back (no attempt
   * counts) and closes the session. Safe to call more than once.
   */
  drain(options?: DrainOptions): Promise<void>;
  health(): WorkerHealth;
  /** Changes the number of slots; running handlers go on. */
  setConcurrency(slots: number): void;
  /** Stops claiming until {@link Worker.resume}. */
  pause(): void;
  resume(): void;
  /** {@link Worker.drain} with its defaults. */
  [Symbol.asyncDispose](): Promise<void>;
}
