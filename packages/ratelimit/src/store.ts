/**
 * The small shared state behind the policies. Memory keeps it in this process, Redis and PostgreSQL share it between processes.
 * Every operation is atomic, uses the store's own clock (never the caller's), and gets all it needs in one round trip.
 * Policies accept any object with the part they need, so a store may be partial: `Pick<Store, 'rates'>`.
 */
export interface Store {
  /** Name for messages and metrics, e.g. `redis`. */
  readonly name: string;
  /** What the store guarantees beyond this contract. */
  readonly capabilities: StoreCapabilities;
  readonly rates: RateStore;
  readonly permits: PermitStore;
  readonly ledger: LedgerStore;
  readonly circuits: CircuitStore;
  readonly cache: CacheStore;
  readonly peers: PeerStore;
}

/** Declared differences between stores. */
export interface StoreCapabilities {
  /** The state is seen by other processes. */
  readonly shared: boolean;
}

/** A value, or a promise of it: the memory store answers at once, so that a local limit costs nanoseconds. */
export type MaybePromise<T> = T | Promise<T>;

/** One limit as the store sees it. Times are whole microseconds of the store's clock: sums stay exact. */
export interface RateSpec {
  /** Index into {@link RateTable.scopes}. */
  readonly scope: number;
  /** Microseconds that one unit of cost occupies (the emission interval of GCRA). */
  readonly interval: number;
  /** Units that may be used at once. */
  readonly burst: number;
}

/** The limits of one decision. Equal tables (by `id`) share their state. */
export interface RateTable {
  /** Identifies limits and scopes; calls with the same id may be decided in one batch. */
  readonly id: string;
  /** The account: every state key of a decision lives in one Redis Cluster slot, named after it. */
  readonly account: string;
  /** State keys within the account; the first one also holds the account's pause and adaptive rate. */
  readonly scopes: readonly string[];
  /** The limits; a call passes all of them or none. */
  readonly limits: readonly RateSpec[];
  /** How priority classes divide every limit; sums to 1. `[1]` means one class. */
  readonly shares: readonly number[];
  /** Growth of the adaptive rate factor per second (towards 1). */
  readonly recovery: number;
}

/** Longest wait, in milliseconds, of a caller that states none. */
export const usualWaitMs = 30_000;

/** A wish to use a rate. */
export interface DebitRequest {
  /** Units per limit of the table, whole numbers. */
  readonly cost: readonly number[];
  /** Longest wait in milliseconds for which a future slot is taken. */
  readonly maxWait: number;
  /** Index of the priority class. */
  readonly share: number;
  /** Take up to this many copies of `cost`, as many as are free now, at least one (a local lease). */
  readonly copies: number;
}

/** The answer to a {@link DebitRequest}. */
export interface DebitDecision {
  /** Copies taken; 0 means refused, and nothing was consumed. */
  readonly granted: number;
  /** Milliseconds until the slot (granted) or until a slot would come (refused); 0 means now. */
  readonly wait: number;
  /** The slot: microseconds of the store's clock. Needed to give it back. */
  readonly at: number;
  /** Index of the limit that made the wait; -1 when there is none, -2 when the account pauses. */
  readonly limitedBy: number;
  /** The class whose share was debited: a class may borrow what another one has free. */
  readonly share: number;
  /** Milliseconds that the account still pauses after a 429. */
  readonly pausedFor: number;
}

/** Changes a debit after the fact: actual minus reserved, per limit. */
export interface Adjustment {
  /** Units to add (used more) or to give back (negative). */
  readonly delta: readonly number[];
  /** {@link DebitDecision.at} of the debit. */
  readonly at: number;
  /** {@link DebitDecision.share} of the debit. */
  readonly share: number;
}

/** State of an account, for display and for corrections. */
export interface RateState {
  /** Units that could be used now, per limit, over all classes; negative while slots in the future are taken. */
  readonly remaining: readonly number[];
  /** Milliseconds that the account still pauses. */
  readonly pausedFor: number;
  /** Share of the configured rate in use, 0 to 1. */
  readonly factor: number;
}

/** Stops an account after a provider's 429. */
export interface Pause {
  /** Milliseconds to pause; a longer pause that is already set stays. */
  readonly forMs: number;
  /** Multiplies the rate factor, once per `cooldownMs`. 1 leaves it. */
  readonly decrease: number;
  /** Lower bound of the factor. */
  readonly floor: number;
  /** Milliseconds within which several 429s count as one. */
  readonly cooldownMs: number;
}

/**
 * Rates by GCRA over a vector of limits. A debit takes the earliest slot at which *every* limit holds, now or in the future, and commits it:
 * waiting is one sleep, in the order of arrival across processes.
 */
export interface RateStore {
  /** Decides requests in order. All or nothing per request; a refused one consumes nothing. */
  debit(table: RateTable, requests: readonly DebitRequest[]): MaybePromise<readonly DebitDecision[]>;
  /** Gives back or adds units. What a limit has regained by idling in between is not given back twice. */
  adjust(table: RateTable, adjustments: readonly Adjustment[]): MaybePromise<void>;
  /** Lowers what is left per limit to what a provider reported (never raises it); undefined leaves a limit as it is; a negative number is a debt. */
  correct(table: RateTable, remaining: readonly (number | undefined)[]): MaybePromise<void>;
  /** Stops the whole account for a time. */
  pause(table: RateTable, pause: Pause): MaybePromise<RateState>;
  /** Looks without touching. */
  read(table: RateTable): MaybePromise<RateState>;
}

/** A place in a semaphore's line. */
export interface PermitRequest {
  /** Unique per request. */
  readonly id: string;
  /** Tenants share the line by weight. */
  readonly tenant: string;
  /** A tenant with weight 2 gets twice the permits of one with weight 1 while both wait. */
  readonly weight: number;
}

/** Everything one process has to say about one semaphore, in one trip. */
export interface PermitExchange {
  /** Permits that exist. */
  readonly limit: number;
  /** Milliseconds that a permit or a place in the line lives without being renewed. */
  readonly leaseMs: number;
  /** Permits and places to give up. */
  readonly release: readonly string[];
  /** Permits held and places in the line to be kept alive. */
  readonly renew: readonly string[];
  /** New requests; they join the line behind the present ones. */
  readonly acquire: readonly PermitRequest[];
}

/** The answer to a {@link PermitExchange}. */
export interface PermitAnswer {
  /** Requests of this process (new or renewed) that hold a permit now; `fence` grows with every grant of this key. */
  readonly granted: readonly { readonly id: string; readonly fence: number }[];
  /** Renewed ids that the store does not know any more: their lease ran out. */
  readonly lost: readonly string[];
  /** Permits held by all processes. */
  readonly held: number;
  /** Requests waiting in all processes. */
  readonly waiting: number;
}

/** Distributed semaphores with leases. */
export interface PermitStore {
  exchange(key: string, exchange: PermitExchange): MaybePromise<PermitAnswer>;
}

/** One budget scope of a decision. */
export interface LedgerScope {
  /** Name including its period, e.g. `tenant:acme/2026-11-23`. */
  readonly key: string;
  /** Micro-USD that may be spent. */
  readonly cap: number;
  /** Milliseconds after which the scope's record may be forgotten. */
  readonly keepMs: number;
}

/** State of one budget scope, micro-USD. */
export interface LedgerState {
  readonly spent: number;
  readonly held: number;
}

/** The answer to a hold. */
export interface HoldAnswer {
  readonly ok: boolean;
  /** Index of the first scope without room; -1 when ok. */
  readonly exceeded: number;
  readonly scopes: readonly LedgerState[];
}

/** Budgets: holds before, actual spending after. Amounts are whole micro-USD. */
export interface LedgerStore {
  /** Milliseconds since 1970 by the store's clock; decides to which day a call belongs. */
  now(): MaybePromise<number>;
  /** Holds `amount` in every scope or in none. The hold is given back when `leaseMs` pass without settling. */
  hold(
    account: string,
    id: string,
    scopes: readonly LedgerScope[],
    amount: number,
    leaseMs: number,
  ): MaybePromise<HoldAnswer>;
  /** Keeps a hold for another `leaseMs`; false when it has run out already. */
  extend(account: string, id: string, scopes: readonly LedgerScope[], leaseMs: number): MaybePromise<boolean>;
  /** Ends a hold and books the actual amount (0 gives all back). Booked even when the hold has run out; booked once. */
  settle(
    account: string,
    id: string,
    scopes: readonly LedgerScope[],
    actual: number,
  ): MaybePromise<readonly LedgerState[]>;
  /** Looks, and drops holds that have run out. */
  read(account: string, scopes: readonly LedgerScope[]): MaybePromise<readonly LedgerState[]>;
}

/** A breaker as the fleet sees it. */
export interface CircuitRecord {
  readonly state: 'closed' | 'open' | 'half-open';
  /** Milliseconds until an open circuit lets probes through. */
  readonly openFor: number;
  /** Grows with every opening; tells a stale report from a fresh one. */
  readonly epoch: number;
}

/** Shared circuit breaker state. */
export interface CircuitStore {
  read(key: string): MaybePromise<CircuitRecord>;
  /** Opens the circuit for a time. */
  open(key: string, forMs: number): MaybePromise<CircuitRecord>;
  /** Asks for one of `max` probe places of a circuit whose time is over; a place is free again after `leaseMs`. */
  probe(
    key: string,
    id: string,
    max: number,
    leaseMs: number,
  ): MaybePromise<{ readonly granted: boolean; readonly record: CircuitRecord }>;
  /** Reports a probe. `needed` successes close the circuit, one failure opens it again for `openMs`, undefined only frees the place. */
  report(key: string, id: string, ok: boolean | undefined, needed: number, openMs: number): MaybePromise<CircuitRecord>;
}

/** Bytes with a time to live, and a lock to let one process fill a missing entry. */
export interface CacheStore {
  get(key: string): MaybePromise<Uint8Array | undefined>;
  set(key: string, value: Uint8Array, ttlMs: number): MaybePromise<void>;
  delete(key: string): MaybePromise<void>;
  /** True for the one caller that holds the lock until `unlock` or until `leaseMs` pass. */
  lock(key: string, id: string, leaseMs: number): MaybePromise<boolean>;
  unlock(key: string, id: string): MaybePromise<void>;
}

/** Who else is alive. */
export interface PeerStore {
  /** Says "I live" for `ttlMs`; answers how many members the group has, including the caller. */
  beat(group: string, id: string, ttlMs: number): MaybePromise<number>;
  /** Leaves the group at once. */
  leave(group: string, id: string): MaybePromise<void>;
}
