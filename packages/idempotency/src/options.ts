import type { Clock } from './clock.ts';
import type { Duration } from './duration.ts';
import type { CacheOptions } from './finished-cache.ts';
import type { IdempotencyInstrumentation } from './instrumentation.ts';
import type { IdempotencyRecord, RecordKey } from './record.ts';
import type { Encryption } from './result-codec.ts';
import type { IdempotencyStore } from './store.ts';

/**
 * What a second call with the same key and input gets. While the first runs: `reject`, `replay` and `attach` throw
 * `IdempotencyInProgressError` (with `attach` it carries a location to follow), `wait` waits. When it is done: `reject` throws
 * `IdempotencyDuplicateError` with the first value, the others return the first value.
 */
export type Duplicates = 'reject' | 'replay' | 'wait' | 'attach';

/**
 * Looks at what a dead execution left behind and decides, while holding the lease: `'run'` executes again (phases that finished are
 * skipped), `'park'` leaves it to a person, `{ value }` is taken as the result.
 */
export type Reconcile = (
  record: IdempotencyRecord,
  context: { readonly signal: AbortSignal },
) => ReconcileDecision | Promise<ReconcileDecision>;

/** See {@link Reconcile}. */
export type ReconcileDecision = 'run' | 'park' | { readonly value: unknown };

/** How one operation behaves; each may be set for all, per operation, and per call. */
export interface OperationPolicy {
  /**
   * How long a finished record is remembered.
   * @default '24h'
   */
  readonly ttl?: Duration;
  /**
   * After this time without a sign of life an executor counts as dead. Extended for as long as the function runs.
   * @default '30s'
   */
  readonly lease?: Duration;
  /**
   * Extend the lease every third of it while the function runs. Without, `lease` is the longest time the function may take.
   * @default true
   */
  readonly heartbeat?: boolean;
  /**
   * What a duplicate gets.
   * @default 'replay'
   */
  readonly duplicates?: Duplicates;
  /**
   * Longest time that `duplicates: 'wait'` waits for the first execution.
   * @default '30s'
   */
  readonly maxWait?: Duration;
  /** Where the running first execution can be followed, for `duplicates: 'attach'`, e.g. the URL of a run. */
  readonly attach?: (record: IdempotencyRecord) => string;
  /**
   * What happens after an executor died: `takeover` runs again (finished phases are skipped), `park` keeps everybody out until
   * `resolve`, a function decides.
   * @default 'takeover'
   */
  readonly onExpiredLease?: 'takeover' | 'park' | Reconcile;
  /**
   * When the store cannot be asked: `closed` throws `StoreUnavailableError`, `open` executes without protection.
   * @default 'closed'
   */
  readonly onStoreError?: 'closed' | 'open';
}

/** Options of `createIdempotency`. */
export interface IdempotencyOptions<Tx = undefined> extends OperationPolicy {
  /** Where records live: `memoryStore()`, `sqliteStore()`, `redisStore()`, `postgresStore()`, or your own. */
  readonly store: IdempotencyStore<Tx>;
  /** Policies by operation name; they override the general ones. */
  readonly operations?: Readonly<Record<string, OperationPolicy>>;
  /**
   * Serve finished records from this process's memory.
   * @default false
   */
  readonly cache?: CacheOptions | false;
  /** Encrypts results and phases in the store. */
  readonly encryption?: Encryption;
  /**
   * Longest time that one call to the store may take.
   * @default '5s'
   */
  readonly storeTimeout?: Duration;
  /**
   * How often this process deletes what has expired; `false` where a cron job calls `sweep()`.
   * @default '1m'
   */
  readonly sweepInterval?: Duration | false;
  /**
   * Name of this process in records, for people.
   * @default host name and process id
   */
  readonly owner?: string;
  /** @default systemClock */
  readonly clock?: Clock;
  /**
   * Numbers from 0 to 1, for jitter.
   * @default Math.random
   */
  readonly random?: () => number;
  readonly instrumentation?: IdempotencyInstrumentation;
}

/** One call: its key, its input, and what differs from the operation's policy. */
export interface RunRequest extends RecordKey, OperationPolicy {
  /** What the operation is given; a second call with the same key must bring the same. JSON data. */
  readonly input?: unknown;
  /** Fingerprint of the input, where it was computed before; `input` is not looked at then. */
  readonly fingerprint?: string;
  /** Aborts the wait and the execution. */
  readonly signal?: AbortSignal;
  /** W3C trace context of the caller, for instrumentation. */
  readonly traceparent?: string;
}

/** What the executing function is given. */
export interface ExecutionContext<Tx = undefined> {
  /** Aborts when the lease is lost (`LeaseLostError`) or the caller gave up. Stop then: nothing will be kept. */
  readonly signal: AbortSignal;
  /** Grows with every execution of this key: hand it to systems that can refuse an older one. */
  readonly fence: number;
  /** Executions of this key so far, from 1. */
  readonly attempt: number;
  /** True when an earlier executor died: it may have had effects. */
  readonly takenOver: boolean;
  /** A key for a downstream call that is the same in every attempt, and different for every `name`. */
  derive(name: string): string;
  /**
   * A recovery point: `work` is done once; later attempts get its value without doing it. With a transactional store, what `work`
   * writes through `tx` is committed together with the phase.
   *
   * @throws LeaseLostError when someone else runs the operation now; the transaction is rolled back
   */
  phase<T>(name: string, work: (tx: Tx) => T | Promise<T>): Promise<T>;
}

/** What a call returned. */
export interface RunResult<T> {
  /** The value of the execution that counts. On replay it has been through JSON. */
  readonly value: T;
  /** True when the function was not called, because an earlier call's value is returned. */
  readonly replayed: boolean;
  /** True when the store was down and the function ran without protection (`onStoreError: 'open'`). */
  readonly bypassed: boolean;
}

/** A decision about a parked record. `fence` is that of the record looked at, so that no newer execution is decided by mistake. */
export type Resolution =
  | { readonly fence: number; readonly as: 'done'; readonly value: unknown }
  | { readonly fence: number; readonly as: 'retryable' };
