import type { FullReason } from '../errors.ts';
import type { ClaimedJob, JobFailure, NewJob } from './job.ts';

/** Jobs to store. */
export interface EnqueueRequest {
  readonly jobs: readonly NewJob[];
  /** All or none (a parent with its children). Otherwise each job is decided on its own. */
  readonly atomic?: boolean;
  /** A transaction of the caller's database client; only when `capabilities.transactions`. */
  readonly transaction?: unknown;
}

/** What became of one job; in the order of the request. */
export type EnqueueAnswer =
  | { readonly status: 'accepted'; readonly id: string }
  /** `id` is the job that holds the dedupe key; `replaced`: it took over the new payload. */
  | { readonly status: 'duplicate'; readonly id: string; readonly replaced: boolean }
  | { readonly status: 'rejected'; readonly reason: FullReason; readonly retryAfter: number };

/** The end of one attempt. Each must present the fence of its lease. */
export type Settlement = {
  readonly jobId: string;
  readonly fence: number;
  /** Actual cost units, settled against the estimate. Absent: the estimate stands (release and snooze: 0). */
  readonly cost?: number;
} & (
  | { readonly kind: 'ack'; readonly result?: string }
  /** Ready again after `delay` milliseconds; the attempt counts. The caller has checked `maxAttempts`. */
  | { readonly kind: 'retry'; readonly delay: number; readonly failure: JobFailure }
  /** Ready again after `delay` milliseconds; the attempt does not count. */
  | { readonly kind: 'snooze'; readonly delay: number }
  /** Ready at once in its old place; the attempt does not count. */
  | { readonly kind: 'release' }
  | { readonly kind: 'dead'; readonly failure: JobFailure }
  | { readonly kind: 'cancelled' }
);

/** One bounded call that does all a worker needs: settle, then keep the session, sweep, promote, claim. In this order, atomically. */
export interface ExchangeRequest {
  /** Made by the worker, never used again once lost or closed. */
  readonly session: string;
  /** First call of a session. Without it an unknown session is answered `lost`. */
  readonly begin: boolean;
  /** Milliseconds that the session lives from now on, by the store's clock. */
  readonly lease: number;
  /** 1, 2, 3, … within the session. */
  readonly call: number;
  /**
   * Calls whose answers never arrived and will not be used. What they claimed is given back (no attempt counted), and any of them (or
   * of the calls before the highest of them) that reaches the store only now or later claims nothing.
   */
  readonly lostCalls: readonly number[];
  /** At most this many jobs. 0: none. */
  readonly claim: number;
  /** What the store may do for this session after a claim that found too little; see {@link Offer}. */
  readonly offer?: Offer;
  readonly settle: readonly Settlement[];
  /** New ends of the jobs' own leases: now + `visibility` milliseconds. */
  readonly extend: readonly { readonly jobId: string; readonly fence: number; readonly visibility: number }[];
  readonly progress: readonly {
    readonly jobId: string;
    readonly fence: number;
    readonly value?: string;
    readonly logs?: readonly string[];
  }[];
  /** Most jobs that promote, sweep and retention may touch in this call, each. */
  readonly housekeeping: number;
  /** End the session after settling: what it still holds is ready at once, no attempt counted. */
  readonly end: boolean;
}

/**
 * An idle worker's offer to take jobs as soon as there are some. When the claim that carries it finds fewer jobs than it wanted, the store may lease
 * jobs that become ready to the session, as if call `call` had claimed them, and send them: at most as many as the claim lacked, and at most once.
 * The offer is over with the session's next call, which names `call` as lost unless the jobs have arrived.
 */
export interface Offer {
  /** A number of the session's calls that no exchange has. */
  readonly call: number;
  /** Milliseconds for which the offer stands: a worker that has stopped meanwhile must not be given jobs. */
  readonly within: number;
}

/** Jobs handed to a session that had offered to take them. */
export interface HandOff {
  /** Of the {@link Offer}. */
  readonly call: number;
  /** The store's clock, milliseconds since 1970. */
  readonly now: number;
  readonly jobs: readonly ClaimedJob[];
}

/** Whether a fenced write took effect. */
export type FencedOutcome = 'applied' | 'stale';

/** A lease whose job somebody asked to cancel. The lease stands until it is settled. */
export interface CancelRequest {
  readonly jobId: string;
  readonly fence: number;
}

/** Answer to {@link ExchangeRequest}. */
export interface ExchangeAnswer {
  /** The store's clock, milliseconds since 1970. */
  readonly now: number;
  /** `lost`: the session had expired (or was never begun, or has ended); every lease of it is over, nothing was settled or claimed. */
  readonly session: 'open' | 'lost';
  /** In the order of the request. */
  readonly settled: readonly FencedOutcome[];
  readonly extended: readonly FencedOutcome[];
  readonly progressed: readonly FencedOutcome[];
  readonly claimed: readonly ClaimedJob[];
  /** This session's leases whose jobs were asked to stop; repeated in every answer until they are settled. */
  readonly cancelRequests: readonly CancelRequest[];
  /** Milliseconds until something known today may make a job claimable (a delay, a parked tenant, an expiring lease). Absent: nothing known. */
  readonly nextDue?: number;
  /** More could have been claimed now. */
  readonly more: boolean;
  /** Keys of schedules that are due. */
  readonly dueSchedules: readonly string[];
  readonly swept: {
    readonly promoted: number;
    readonly expired: readonly {
      readonly id: string;
      readonly name: string;
      readonly tenant: string;
      readonly fence: number;
      readonly to: 'ready' | 'dead';
    }[];
    readonly forgotten: number;
  };
}
