import type { Clock } from '../clock.ts';
import type { ControlAnswer, ControlInput, ControlOperation } from './control.ts';
import type { EnqueueAnswer, EnqueueRequest, ExchangeAnswer, ExchangeRequest, HandOff } from './exchange.ts';

/** What an adapter can and cannot do. A difference is declared here, never silent. */
export interface AdapterCapabilities {
  /** Several processes may use one queue. */
  readonly shared: boolean;
  /** Accepted jobs survive the end of the process. */
  readonly durable: boolean;
  /** Which clock decides about leases, delays and limits: the one given to `open`, or the store's own. */
  readonly clock: 'given' | 'store';
  /** `enqueue({ transaction })` joins a transaction of the caller. */
  readonly transactions: boolean;
  /** A session is kept alive from a thread that a busy event loop cannot block. */
  readonly threadedKeepAlive: boolean;
}

/** What an adapter is given when a queue is opened. */
export interface AdapterContext {
  /** Name of the queue: letters, digits, `_`, `-`, `.`, `:`; at most 100 characters. */
  readonly queue: string;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Something happened that an idle worker or a waiting caller may want to know at once. A hint may be lost or be wrong; polling is the promise. */
export type Hint = 'ready' | 'cancel' | 'finished';

/** Keeps a session alive; see {@link QueueStorage.keepAlive}. */
export interface KeepAlive {
  /** Monotonic time (`performance.now()` scale) at which the last successful renewal was *started*; undefined before the first. */
  readonly renewedAt: () => number | undefined;
  /** Stops renewing. */
  stop(): Promise<void>;
}

/** What to keep alive, and how. */
export interface KeepAliveRequest {
  readonly session: string;
  /** Milliseconds, see {@link ExchangeRequest.lease}. */
  readonly lease: number;
  /** Milliseconds between renewals. */
  readonly every: number;
  /** Milliseconds for which the event loop may be blocked before renewal stops: what hangs for ever must lose its jobs. */
  readonly blockedLimit: number;
}

/** One queue of an adapter, open. All methods may be called at the same time; each call is atomic. */
export interface QueueStorage {
  /** Stores jobs, or refuses them. Answers in the order of the request. */
  enqueue(request: EnqueueRequest): Promise<readonly EnqueueAnswer[]>;
  /** The worker's one call. A session may have several under way, and they may arrive in another order than they were sent. */
  exchange(request: ExchangeRequest): Promise<ExchangeAnswer>;
  /**
   * How many exchanges a worker with much to do keeps under way, and a producer calls of `enqueue`. More than one pays where the store works while this process does;
   * one where it is this process that works. @default 1
   */
  readonly exchangesAtOnce?: number;
  /** How many jobs of concurrent callers a producer sends in one call at the most. More pays where a call costs the store much by itself. @default 500 */
  readonly jobsPerCall?: number;
  /** Everything else. */
  control<Op extends ControlOperation>(operation: Op, input: ControlInput<Op>): Promise<ControlAnswer<Op>>;
  /**
   * Calls `listener` when something may have happened, in this or another process. Returns how to stop.
   * Watching must cost next to nothing while nothing happens and keep no process alive by itself.
   */
  watch(listener: (hint: Hint) => void): () => void;
  /**
   * Present when the store hands jobs to idle workers: calls `listener` with those for this session. Returns how to stop. A hand-off may be lost:
   * the session's next call, which names it, gives the jobs back.
   */
  handOffs?(session: string, listener: (handOff: HandOff) => void): () => void;
  /** Present when `threadedKeepAlive`: renews the session from a thread. Without it the worker renews by its own timer. */
  keepAlive?(request: KeepAliveRequest): KeepAlive;
  /** Lets go of what `open` took. Calls in flight are finished or fail with QueueClosedError. */
  close(): Promise<void>;
}

/**
 * A queue storage: memory, SQLite, Redis, or your own (prove it with `@millrace/queue/conformance`).
 * Errors of the store surface as StoreUnavailableError when trying again may help.
 *
 * **Order.** Among the jobs that may run, the highest priority class goes first; inside a class tenants take turns in proportion to their
 * weights, by virtual time (each claim moves a tenant on by max(cost, 1) ÷ weight; who was idle starts at the present virtual time); inside a class and tenant
 * the first to become ready goes first. A class is never starved: while it has a job that may run, it gets a turn at the latest
 * (difference to the highest class) × `aging` after its last. With `aging` 0 priorities are strict.
 * A tenant has jobs in several classes at once: each class sees its own first job of the tenant.
 *
 * **Budgets.** When the first job of a tenant in a class costs more than is left of the tenant's budget, it waits for the next window with all that stands
 * behind it there; the tenant's other classes go on as long as their first jobs fit. (The dear job loses nothing: the next window is whole again.)
 *
 * **Leases.** A lease ends by settlement, with its session, or when its own visibility ends. Ended without settlement, the attempt counts: the job is ready
 * again at once, or dead (code `ERR_LEASE_LOST`) when it was the last.
 */
export interface QueueAdapter {
  /** For messages, metrics and docs: `memory`, `sqlite`, … */
  readonly name: string;
  readonly capabilities: AdapterCapabilities;
  /** Opens a queue, creating what it needs. Safe to call from many processes at once. */
  open(context: AdapterContext): Promise<QueueStorage>;
  /** Closes connections that the adapter itself opened (never a client it was given). */
  close(): Promise<void>;
}
