/** Names one record. The tenant is part of the name, so that no tenant ever sees another one's keys or results. */
export interface RecordKey {
  /** Whose request it is: user, organisation, repository. */
  readonly tenant: string;
  /** What is done, e.g. `POST /v1/runs`; the same key may be used for different operations. */
  readonly operation: string;
  /** The idempotency key, chosen by the caller. */
  readonly key: string;
}

/**
 * `running`: an executor holds the lease, or died and nobody came yet. `retryable`: it ended without a result to keep, the next call
 * runs again. `done`: the result is kept. `parked`: an executor died with unknown outcome; only `resolve` moves it.
 */
export type RecordState = 'running' | 'retryable' | 'done' | 'parked';

/** What happens in the store to a record whose executor's lease ran out: the next caller takes over, or it is parked. */
export type ExpiredLease = 'takeover' | 'park';

/** One idempotency record as a store holds it. All times are milliseconds since 1970 by the store's clock. */
export interface IdempotencyRecord extends RecordKey {
  readonly state: RecordState;
  /** SHA-256 of the canonical input; see `fingerprint`. */
  readonly fingerprint: string;
  /** Grows with every execution, over the record's whole life and over its deletion and return. */
  readonly fence: number;
  /** Who executes or executed: for people, and for a caller whose `begin` was answered into the void to know its own. */
  readonly owner: string;
  /** Executions so far, from 1. */
  readonly attempt: number;
  readonly onExpiredLease: ExpiredLease;
  /** Finished phases: name → encoded value. */
  readonly phases: Readonly<Record<string, string>>;
  /** The encoded result; only when `done`. */
  readonly result: string | undefined;
  readonly createdAt: number;
  /** When the present state began (for `running`: this execution). */
  readonly updatedAt: number;
  readonly leaseUntil: number;
  /** When the record is forgotten; a parked one, or one that must be parked, never is. */
  readonly expiresAt: number;
}
