import type { ExpiredLease, IdempotencyRecord, RecordKey, RecordState } from './record.ts';

/**
 * Where records live. Every method is one atomic step by the store's own clock; every write after `begin` presents its fence and has no
 * effect when the fence is stale, when the record is not `running`, or when it has expired (`false` is returned then).
 * Prove an implementation with `@millrace/idempotency/conformance`. `machine.ts` is the reference for every step.
 *
 * @typeParam Tx - the client handed to work that shares a transaction with the record; `undefined` where a store has none
 */
export interface IdempotencyStore<Tx = undefined> {
  /** Kind of store, for messages and metrics: `memory`, `sqlite`, `redis`, `postgres`, … */
  readonly name: string;
  /** What this store can and cannot do. */
  readonly capabilities: StoreCapabilities;
  /** Claims the key for one execution, or says what stands there. The fingerprint is compared before the state. */
  begin(key: RecordKey, request: BeginRequest): Promise<BeginResult>;
  /** Moves the end of the lease to `lease` milliseconds from now. */
  extend(key: RecordKey, fence: number, times: LeaseTimes): Promise<boolean>;
  /** Keeps the value of a finished phase. */
  checkpoint(key: RecordKey, fence: number, phase: string, value: string): Promise<boolean>;
  /** Keeps the result for `ttl` milliseconds: `running → done`. */
  complete(key: RecordKey, fence: number, result: string, ttl: number): Promise<boolean>;
  /** Ends an execution without a result: `running → retryable | parked`. Fingerprint, fence and phases stay. */
  release(key: RecordKey, fence: number, state: 'retryable' | 'parked', ttl: number): Promise<boolean>;
  /** Decides a parked record: `parked → done | retryable`. `fence` is that of the parked execution. */
  resolve(key: RecordKey, fence: number, resolution: StoreResolution): Promise<boolean>;
  /** The record, if there is one that has not expired. */
  read(key: RecordKey): Promise<IdempotencyRecord | undefined>;
  /** Records for administration, oldest change first where the store can order them. */
  list(query: ListQuery): Promise<readonly IdempotencyRecord[]>;
  /** Deletes everything of a tenant (erasure). Running executions of it lose their lease. Resolves to the number deleted. */
  forget(tenant: string): Promise<number>;
  /** Deletes at most `limit` expired records and parks at most `limit` dead executions of operations that park. */
  sweep(limit: number): Promise<SweepResult>;
  /** Opens a transaction for `work`; absent where {@link StoreCapabilities.transactions} is false. */
  transaction?<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The same store speaking through a transaction that the caller opened and will commit. */
  within?(tx: Tx): IdempotencyStore<Tx>;
  /** Releases what the store opened itself; clients given by the user stay open. */
  close(): Promise<void>;
}

/** What a store can do beyond the contract. */
export interface StoreCapabilities {
  /** Records and the caller's own rows can be committed together (`idempotency.tx`, transactional phases). */
  readonly transactions: boolean;
  /** Records survive the process. */
  readonly durable: boolean;
  /** Several processes may share the store. */
  readonly shared: boolean;
}

/** Length of a lease and of the memory that follows it, in milliseconds. */
export interface LeaseTimes {
  readonly lease: number;
  readonly ttl: number;
}

/** A wish to execute. */
export interface BeginRequest extends LeaseTimes {
  readonly fingerprint: string;
  readonly owner: string;
  readonly onExpiredLease: ExpiredLease;
}

/** Answer to {@link IdempotencyStore.begin}. `now` is the store's time of the answer. */
export type BeginResult =
  | {
      readonly status: 'acquired';
      readonly record: IdempotencyRecord;
      /** True when an earlier executor's lease had run out: it may have had effects. */
      readonly takenOver: boolean;
      readonly now: number;
    }
  | { readonly status: 'existing'; readonly record: IdempotencyRecord; readonly now: number }
  | { readonly status: 'mismatch'; readonly record: IdempotencyRecord; readonly now: number };

/** Decision about a parked record. */
export type StoreResolution =
  | { readonly state: 'done'; readonly result: string; readonly ttl: number }
  | { readonly state: 'retryable'; readonly ttl: number };

/** Which records to list. */
export interface ListQuery {
  readonly tenant?: string;
  readonly state?: RecordState;
  /** Upper bound of the answer's length. */
  readonly limit: number;
}

/** What a sweep did. */
export interface SweepResult {
  readonly deleted: number;
  readonly parked: number;
}
