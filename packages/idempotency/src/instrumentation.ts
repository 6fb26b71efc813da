/**
 * What `@millrace/idempotency` tells an observer. Every member is optional; what is absent costs nothing.
 * `@millrace/observability` implements this interface structurally.
 */
export interface IdempotencyInstrumentation {
  /** Runs around a whole call: asking the store, waiting, executing or replaying. */
  aroundRun?<T>(run: RunInfo, next: () => Promise<T>): Promise<T>;
  /** Runs around one execution of the user's function. */
  aroundExecution?<T>(execution: ExecutionInfo, next: () => Promise<T>): Promise<T>;
  /** A call ended. */
  onOutcome?(event: OutcomeEvent): void;
  /** An execution follows one whose lease had run out. */
  onTakeover?(event: ExecutionInfo): void;
  /** An executor lost its lease; its result was not kept. */
  onLeaseLost?(event: ExecutionInfo): void;
  /** The in-process cache of finished records was asked. */
  onCache?(event: CacheEvent): void;
  /** A sweep ended. */
  onSwept?(event: SweptEvent): void;
  /** The store stopped or resumed answering. */
  onStore?(event: StoreEvent): void;
}

/** Which call it is. Keys are never part of an event: they may be guessable secrets of a client. */
export interface RunInfo {
  readonly store: string;
  readonly tenant: string;
  readonly operation: string;
  readonly traceparent: string | undefined;
}

/** Which execution it is. */
export interface ExecutionInfo extends RunInfo {
  readonly fence: number;
  /** From 1. */
  readonly attempt: number;
}

/** How a call ended. */
export type Outcome =
  | 'executed'
  | 'failed'
  | 'replayed'
  | 'in_progress'
  | 'duplicate'
  | 'mismatch'
  | 'parked'
  | 'lease_lost'
  | 'bypassed'
  | 'store_unavailable'
  | 'invalid';

/** The end of a call. */
export interface OutcomeEvent extends RunInfo {
  readonly outcome: Outcome;
  /** Milliseconds from the call to its end. */
  readonly durationMs: number;
}

/** One question to the in-process cache. */
export interface CacheEvent {
  readonly operation: string;
  readonly outcome: 'hit' | 'miss';
}

/** What a sweep did. */
export interface SweptEvent {
  readonly store: string;
  readonly deleted: number;
  readonly parked: number;
}

/** Reachability of the store. */
export interface StoreEvent {
  readonly store: string;
  readonly available: boolean;
  readonly error: unknown;
}
