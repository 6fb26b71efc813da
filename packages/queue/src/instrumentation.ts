/** Data about one job in an event. All fields are plain; no payload is ever given to instrumentation. */
export interface JobEvent {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
}

/** What {@link QueueInstrumentation.aroundEnqueue} wraps: one call of enqueue, tryEnqueue or enqueueMany. */
export interface EnqueueInfo {
  readonly queue: string;
  readonly jobs: readonly JobEvent[];
  /** The caller's own W3C traceparent, when it gave one. */
  readonly traceparent?: string;
}

/** What {@link QueueInstrumentation.aroundAttempt} wraps: one run of a handler (of a batch handler: one per job in it). */
export interface AttemptInfo extends JobEvent {
  readonly queue: string;
  readonly jobId: string;
  /** 1-based. */
  readonly attempt: number;
  readonly fence: number;
  /** W3C traceparent of the producer, for a span *link*. */
  readonly traceparent?: string;
  /** Milliseconds between being ready and being claimed, by the store's clock. */
  readonly waitMs: number;
}

/** One answer of enqueue, grouped per call to the store. */
export interface EnqueuedEvent {
  readonly queue: string;
  readonly jobs: readonly (JobEvent & { readonly status: 'accepted' | 'duplicate'; readonly bytes: number })[];
  /** Milliseconds that the store took. */
  readonly durationMs: number;
}

/** Jobs refused by backpressure in one call to the store. */
export interface RejectedEvent {
  readonly queue: string;
  readonly jobs: readonly (JobEvent & {
    readonly scope: 'queue' | 'tenant';
    readonly limit: 'count' | 'bytes' | 'store';
    readonly retryAfter: number;
  })[];
}

/** Jobs claimed in one exchange. */
export interface ClaimedEvent {
  readonly queue: string;
  readonly jobs: readonly (JobEvent & { readonly attempt: number; readonly fence: number; readonly waitMs: number })[];
  /** Milliseconds of the round trip. */
  readonly durationMs: number;
}

/** How an attempt ended. */
export type SettledKind = 'ack' | 'retry' | 'snooze' | 'release' | 'dead' | 'cancelled';

/** Jobs settled in one exchange. */
export interface SettledEvent {
  readonly queue: string;
  readonly jobs: readonly (JobEvent & {
    readonly attempt: number;
    readonly fence: number;
    readonly kind: SettledKind;
    /** `stale`: the lease was over and nothing was changed. */
    readonly outcome: 'applied' | 'stale';
    /** Milliseconds that the handler ran. */
    readonly runMs: number;
    /** `code` or `name` of the error, when there was one. */
    readonly errorCode?: string;
  })[];
}

/** What housekeeping did in one exchange. Only sent when it did something. */
export interface SweptEvent {
  readonly queue: string;
  /** Delayed jobs that became ready. */
  readonly promoted: number;
  /** Leases that ended without a settlement. */
  readonly expired: readonly (JobEvent & { readonly fence: number; readonly to: 'ready' | 'dead' })[];
  /** Finished jobs removed by retention. */
  readonly forgotten: number;
}

/** Leases that this worker lost while it was running their handlers. */
export interface LeaseLostEvent {
  readonly queue: string;
  readonly jobs: readonly (JobEvent & { readonly fence: number })[];
  readonly reason: 'session' | 'visibility' | 'deadline-of-lease';
}

/** A call to the store failed; the worker or the caller will try again. */
export interface StoreErrorEvent {
  readonly queue: string;
  readonly operation: 'enqueue' | 'exchange' | 'control' | 'heartbeat';
  readonly error: unknown;
}

/**
 * Hooks for metrics, traces and logs. Every member is optional; an absent one costs nothing.
 * Events come per batch (one call to the store), never per job. A hook that throws is ignored.
 */
export interface QueueInstrumentation {
  /**
   * True while `aroundEnqueue` and `aroundAttempt` would only call `next`: the queue then leaves them out, which saves each job
   * its {@link AttemptInfo}, a closure and a promise. Asked anew before each of them. @default () => false
   */
  skipsAround?(): boolean;
  /**
   * Wraps a producer's call. `next` may be given the traceparent to store with the jobs (of a producer span),
   * which replaces the caller's own.
   */
  aroundEnqueue?<T>(info: EnqueueInfo, next: (carrier?: { readonly traceparent?: string }) => Promise<T>): Promise<T>;
  /** Wraps one run of a handler; what the handler throws passes through. */
  aroundAttempt?<T>(info: AttemptInfo, next: () => Promise<T>): Promise<T>;
  onEnqueued?(event: EnqueuedEvent): void;
  onRejected?(event: RejectedEvent): void;
  onClaimed?(event: ClaimedEvent): void;
  onSettled?(event: SettledEvent): void;
  onSwept?(event: SweptEvent): void;
  onLeaseLost?(event: LeaseLostEvent): void;
  onStoreError?(event: StoreErrorEvent): void;
}

/** Whether there is a hook of this name and something for it to do now; only then does a call make what the hook is given. */
export function wraps<K extends 'aroundEnqueue' | 'aroundAttempt'>(
  hooks: QueueInstrumentation | undefined,
  hook: K,
): hooks is QueueInstrumentation & Required<Pick<QueueInstrumentation, K>> {
  return hooks?.[hook] !== undefined && hooks.skipsAround?.() !== true;
}
