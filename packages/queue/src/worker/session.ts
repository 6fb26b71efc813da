import type { Clock } from '../clock.ts';
import type { KeepAlive, QueueStorage } from '../contract/index.ts';

/** The worker's session: one lease for all its jobs. Replaced by a new one when lost. */
export interface Session {
  readonly id: string;
  /** The store knows it. */
  begun: boolean;
  /** Calls whose answers never came and that the store has not been told about. */
  lostCalls: number[];
  nextCall(): number;
  /** The store renewed the session in a call that was sent at this monotonic time. */
  renewed(sentAt: number): void;
  /** False when the lease may be over: also after an answer that came too late, because the process was paused. */
  isCertain(): boolean;
  /** Starts the heartbeat thread, where the adapter has one. */
  keepAlive(storage: QueueStorage): void;
  /** Stops the heartbeat thread and the watch over the lease. */
  stop(): Promise<void>;
}

/** What a session needs. */
export interface SessionParts {
  readonly id: string;
  readonly clock: Clock;
  readonly lease: number;
  readonly margin: number;
  readonly blockedLimit: number;
  /** The lease may be over: the store has not renewed it in time, or could not be reached. */
  readonly onUncertain: () => void;
}

/** Creates a session that the store does not know yet. */
export function createSession(parts: SessionParts): Session {
  const { clock, lease } = parts;
  let calls = 0;
  let renewedAt: number | undefined;
  let thread: KeepAlive | undefined;
  let timer: unknown;
  let stopped = false;

  /** Monotonic time until which the leases are certain. */
  function certainUntil(): number {
    return Math.max(renewedAt ?? Number.NEGATIVE_INFINITY, thread?.renewedAt() ?? Number.NEGATIVE_INFINITY) + lease;
  }

  /** One timer at the end of what is certain; renewals in between only move the end. */
  function watch(): void {
    timer = undefined;
    if (stopped) return;
    const left = certainUntil() - parts.margin - clock.monotonic();
    if (left > 0) timer = clock.setTimeout(watch, left);
    else parts.onUncertain();
  }

  const session: Session = {
    id: parts.id,
    begun: false,
    lostCalls: [],
    nextCall: () => {
      calls += 1;
      return calls;
    },
    renewed: (sentAt) => {
      session.begun = true;
      renewedAt = Math.max(renewedAt ?? sentAt, sentAt);
      if (timer === undefined && !stopped) watch();
    },
    isCertain: () => {
      const from = clock.monotonic() + parts.margin - lease;
      // The worker's own renewal is as a rule the newest; asking the thread costs more.
      return (renewedAt !== undefined && renewedAt > from) || (thread?.renewedAt() ?? Number.NEGATIVE_INFINITY) > from;
    },
    keepAlive: (storage) => {
      if (thread !== undefined || stopped) return;
      thread = storage.keepAlive?.({ session: parts.id, lease, every: lease / 3, blockedLimit: parts.blockedLimit });
    },
    stop: async () => {
      stopped = true;
      if (timer !== undefined) clock.clearTimeout(timer);
      await thread?.stop();
    },
  };
  return session;
}
