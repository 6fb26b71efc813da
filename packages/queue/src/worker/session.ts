import type { Clock } from '../clock.ts';
import type { KeepAlive, QueueStorage } from '../contract/index.ts';

/** The worker's session: one lease for all its jobs. Replaced by a new one when lost. */
export interface Session {
  readonly id: string;
  /** The store knows it. */
  begun: boolean;
  nextCall(): number;
  /** No answer to this call came, or will be used. `begins`: it would make the session, should it be unknown by then. */
  lostCall(call: number, begins?: boolean): void;
  /** Lost calls that the store must be told about. */
  lostCalls(): readonly number[];
  /** The store has been told of these. */
  told(calls: readonly number[]): void;
  /** Nothing was ever answered, and so much was asked that to start anew is simpler. */
  isHopeless(): boolean;
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

/** Calls without an answer after which a session that the store may not know is left for another one. */
const mostBegins = 8;

/** Creates a session that the store does not know yet. */
export function createSession(parts: SessionParts): Session {
  const { clock, lease } = parts;
  let calls = 0;
  let lost: readonly number[] = [];
  /**
   * These may arrive when the store has lost the session, and make it anew: it would then have jobs leased to a worker that does not
   * know. So each call tells of them, for as long as the session lives.
   */
  const lostBegins: number[] = [];
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
    nextCall: () => {
      calls += 1;
      return calls;
    },
    lostCall: (call, begins = false) => {
      if (begins) lostBegins.push(call);
      else lost = [...lost, call];
    },
    lostCalls: () => [...lostBegins, ...lost],
    told: (told) => {
      if (lost.length > 0) lost = lost.filter((call) => !told.includes(call));
    },
    isHopeless: () => !session.begun && lostBegins.length >= mostBegins,
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
