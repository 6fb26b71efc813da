/**
 * Where a job is. `ready`: may be claimed. `delayed`: waits for its time, for its children, or for the job before it.
 * `leased`: a worker has it. `succeeded`, `dead`, `cancelled`: finished.
 */
export type JobState = 'ready' | 'delayed' | 'leased' | 'succeeded' | 'dead' | 'cancelled';

/** What is kept of a failed attempt. */
export interface JobFailure {
  /** 1-based. */
  readonly attempt: number;
  /** Store time in milliseconds since 1970. */
  readonly at: number;
  /** The error's message, cut to 2,000 characters. */
  readonly message: string;
  /** The error's `code`, else its name. */
  readonly code: string;
  /** Groups like errors: the same for messages that differ only in numbers, ids and quoted text. */
  readonly fingerprint: string;
}

/** How enqueueing a key that is known already is answered. */
export interface DedupeSpec {
  readonly key: string;
  /**
   * - `pending`: duplicate while the first job is delayed, ready or leased.
   * - `window`: duplicate until `ttl` after the first was accepted, whatever became of it.
   * - `keep-last`: a waiting job takes over the new payload; while one is leased, one follow-up waits for its end.
   * - `debounce`: a waiting job takes over the new payload and starts `ttl` after the last call, at most `maxWait` after the first.
   */
  readonly mode: 'pending' | 'window' | 'keep-last' | 'debounce';
  /** Milliseconds; `window` and `debounce` only. */
  readonly ttl?: number;
  /** Milliseconds; `debounce` only. */
  readonly maxWait?: number;
}

/** A job on its way into the store: validated, encoded, all defaults filled in. */
export interface NewJob {
  /** Made by the caller, so that repeating a call whose answer was lost is harmless: a known id is answered as accepted. */
  readonly id: string;
  readonly name: string;
  /** Encoded by the queue's codec. */
  readonly payload: string;
  /** Bytes of payload that count against limits. */
  readonly bytes: number;
  /** `''` when the queue has no tenants. */
  readonly tenant: string;
  /** Integer from -1,000 to 1,000, larger first. */
  readonly priority: number;
  /** Milliseconds from now, by the store's clock. 0: ready at once. */
  readonly delay: number;
  /** From 1 up; the first attempt counts. */
  readonly maxAttempts: number;
  /** Integer units, at least 0: counts against the tenant's budget at claim, and in its fair share (as at least 1). */
  readonly cost: number;
  /** Milliseconds that a lease of this job lasts unless extended, besides the session's own; absent: as long as the session lives. */
  readonly visibility?: number;
  /** Milliseconds that the result of a success is kept; 0: the job is forgotten at ack unless retention keeps it. */
  readonly keepResult: number;
  readonly dedupe?: DedupeSpec;
  readonly traceparent?: string;
  /** The parent that waits for this job. The parent is in the same request, before its children. */
  readonly parentId?: string;
  /** Number of children this job waits for; above 0 it is `delayed` until all of them have finished. */
  readonly children: number;
  /** What the parent does when this job ends dead or cancelled: become dead too, or run all the same. */
  readonly onFailure?: 'fail-parent' | 'ignore';
}

/** A job in a worker's hands. */
export interface ClaimedJob {
  readonly id: string;
  readonly name: string;
  readonly payload: string;
  readonly tenant: string;
  readonly priority: number;
  /** 1-based number of this attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Larger than every fence given before in this queue. */
  readonly fence: number;
  readonly cost: number;
  /** Store time of enqueue. */
  readonly enqueuedAt: number;
  /** Milliseconds between becoming ready and this claim. */
  readonly waitMs: number;
  /** Milliseconds from the claim to the end of the job's own lease, where it has one. */
  readonly visibility?: number;
  readonly traceparent?: string;
  readonly parentId?: string;
  /** True when children finished before this job became ready: `children` of the control operations lists their results. */
  readonly hasChildren: boolean;
}

/** All that the store knows of a job, for people and for `inspect`. */
export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly state: JobState;
  readonly priority: number;
  /** Attempts begun. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly cost: number;
  readonly payload: string;
  readonly bytes: number;
  readonly enqueuedAt: number;
  /** When it became ready (state ready or leased), or will (delayed; absent: waits for other jobs). Store time. */
  readonly readyAt?: number;
  readonly finishedAt?: number;
  /** Session that holds it, and under which fence (leased). */
  readonly lease?: { readonly session: string; readonly fence: number; readonly claimedAt: number };
  readonly cancelRequested: boolean;
  /** Encoded by the queue's codec; present when succeeded with a result. */
  readonly result?: string;
  /** Last value given to `ctx.progress()`, encoded by the queue's codec. */
  readonly progress?: string;
  /** References given to `ctx.log()`: names of logs kept elsewhere, never their text. The last 100. */
  readonly logs: readonly string[];
  /** The last 10 failures, oldest first. */
  readonly failures: readonly JobFailure[];
  readonly parentId?: string;
  /** Children not finished yet. */
  readonly pendingChildren: number;
  readonly dedupeKey?: string;
  readonly traceparent?: string;
}

/** A child as its parent sees it. */
export interface ChildView {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  /** Encoded by the queue's codec. */
  readonly result?: string;
  readonly failure?: JobFailure;
}
