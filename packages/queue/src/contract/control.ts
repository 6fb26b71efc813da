import type { ChildView, JobState, JobView, NewJob } from './job.ts';
import type { QueueLimits, QueueSettings, TenantLimits } from './limits.ts';

/** Chooses jobs; all given fields must match. */
export interface JobFilter {
  readonly state?: JobState;
  readonly name?: string;
  readonly tenant?: string;
  /** Failed last with this fingerprint. */
  readonly fingerprint?: string;
  /** Enqueued before this store time. */
  readonly enqueuedBefore?: number;
}

/** A page of a list. `cursor` goes into the next request; absent: that was all. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** Jobs per state, and what waits. Read from counters, never by a scan. */
export interface QueueCounts {
  readonly ready: number;
  readonly delayed: number;
  readonly leased: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
  /** Payload bytes of ready and delayed jobs. */
  readonly waitingBytes: number;
  /** Live sessions. */
  readonly sessions: number;
  readonly paused: boolean;
  /** Milliseconds since the oldest ready job became ready; 0 when none is ready. */
  readonly oldestReadyAge: number;
}

/** What is known of a tenant. */
export interface TenantView {
  readonly tenant: string;
  readonly limits: TenantLimits;
  readonly paused: boolean;
  readonly ready: number;
  readonly delayed: number;
  readonly leased: number;
  readonly waitingBytes: number;
  /** Cost units used in the present budget window. */
  readonly spent: number;
  /** Milliseconds until rate or budget let it run again; absent when neither holds it. */
  readonly parkedFor?: number;
}

/** Dead letters with the same error. */
export interface ErrorGroup {
  readonly fingerprint: string;
  readonly count: number;
  /** Of the newest. */
  readonly message: string;
  readonly code: string;
  readonly newestAt: number;
  readonly sampleId: string;
}

/** Why a job does not run. `until` is a store time, where one is known. */
export interface Explanation {
  readonly reason:
    | 'unknown-job'
    | 'finished'
    | 'running'
    | 'delayed'
    | 'waits-for-children'
    | 'waits-for-previous'
    | 'queue-paused'
    | 'tenant-paused'
    | 'queue-concurrency'
    | 'queue-rate'
    | 'tenant-concurrency'
    | 'tenant-rate'
    | 'tenant-budget'
    | 'no-worker'
    | 'next-in-line';
  readonly until?: number;
  /** Jobs of the same tenant before it, counted up to 1,000. */
  readonly ahead?: number;
}

/** A recurring job as stored. The core computes the instants, the store keeps them and lets one process fire each. */
export interface ScheduleRecord {
  readonly key: string;
  /** Cron expression of 5 or 6 fields. */
  readonly cron: string;
  /** IANA name. */
  readonly timeZone: string;
  readonly missed: 'skip' | 'once' | 'all';
  /** The job to enqueue, without id: JSON of the caller's enqueue arguments. */
  readonly template: string;
  /** Store time of the next instant; absent: there is none left. */
  readonly nextAt?: number;
  /** Instants after this one are to come; equals the last fired. */
  readonly lastAt?: number;
}

interface Operation<Input, Answer> {
  readonly input: Input;
  readonly answer: Answer;
}

/** The operations of `control`: for people and programs that steer the queue, not on the hot path. Each is atomic and bounded. */
export interface ControlOperations {
  /** Merges into the stored settings (limits and tenantDefaults field by field; an `undefined` field removes the bound). */
  readonly configure: Operation<
    {
      readonly limits?: QueueLimits;
      readonly tenantDefaults?: TenantLimits;
      readonly aging?: number;
      readonly retention?: Partial<QueueSettings['retention']>;
    },
    QueueSettings
  >;
  /** Merges into one tenant's own limits. In force for the next claim anywhere. */
  readonly limitTenant: Operation<{ readonly tenant: string; readonly limits: TenantLimits }, TenantView>;
  readonly pause: Operation<{ readonly tenant?: string }, void>;
  readonly resume: Operation<{ readonly tenant?: string }, void>;
  /** At most 500 ids. Waiting jobs are cancelled, running ones are asked to stop. In the order of the ids. */
  readonly cancel: Operation<
    { readonly ids: readonly string[] },
    readonly ('cancelled' | 'requested' | 'finished' | 'unknown')[]
  >;
  /** At most 500 ids; only waiting jobs change. Answers how many did. */
  readonly setPriority: Operation<{ readonly ids: readonly string[]; readonly priority: number }, number>;
  /** Makes delayed jobs ready now (not those that wait for others). At most 500 ids. Answers how many. */
  readonly promote: Operation<{ readonly ids: readonly string[] }, number>;
  /** Dead (or cancelled) jobs become waiting again with all their attempts, the i-th (from 0) after `offset` + i × `spacing` milliseconds. At most 500 ids. Answers how many. */
  readonly redrive: Operation<
    { readonly ids: readonly string[]; readonly spacing: number; readonly offset: number },
    number
  >;
  /** Removes finished jobs. At most 500 ids. Answers how many. */
  readonly purge: Operation<{ readonly ids: readonly string[] }, number>;
  /** At most 500 a page. Oldest first. */
  readonly list: Operation<
    { readonly filter: JobFilter; readonly cursor?: string; readonly limit: number },
    Page<JobView>
  >;
  readonly count: Operation<{ readonly filter: JobFilter }, number>;
  readonly counts: Operation<Record<never, never>, QueueCounts>;
  readonly job: Operation<{ readonly id: string }, JobView | undefined>;
  readonly explain: Operation<{ readonly id: string }, Explanation>;
  readonly children: Operation<{ readonly parentId: string }, readonly ChildView[]>;
  /** Tenants with jobs or limits of their own, by name. At most 500 a page. */
  readonly tenants: Operation<{ readonly cursor?: string; readonly limit: number }, Page<TenantView>>;
  /** Ready jobs per priority. */
  readonly priorities: Operation<
    Record<never, never>,
    readonly { readonly priority: number; readonly ready: number }[]
  >;
  /** Most frequent first, at most 100. */
  readonly errorGroups: Operation<{ readonly limit: number }, readonly ErrorGroup[]>;
  /** Creates or replaces; an unchanged cron and time zone keep `nextAt`. */
  readonly putSchedule: Operation<{ readonly schedule: ScheduleRecord }, ScheduleRecord>;
  readonly removeSchedule: Operation<{ readonly key: string }, boolean>;
  readonly schedules: Operation<{ readonly keys?: readonly string[] }, readonly ScheduleRecord[]>;
  /** Compare-and-set on `expectedNextAt`: enqueues `jobs` and moves on to `nextAt`, or answers false and does nothing. So too when there is no room for all of them: the instant stays due. */
  readonly fireSchedule: Operation<
    {
      readonly key: string;
      readonly expectedNextAt: number;
      readonly nextAt?: number;
      readonly lastAt: number;
      readonly jobs: readonly NewJob[];
    },
    boolean
  >;
}

/** Name of a control operation. */
export type ControlOperation = keyof ControlOperations;
/** What the operation takes. */
export type ControlInput<Op extends ControlOperation> = ControlOperations[Op]['input'];
/** What the operation answers. */
export type ControlAnswer<Op extends ControlOperation> = ControlOperations[Op]['answer'];
