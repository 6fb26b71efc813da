import type { ErrorGroup, JobFilter, ScheduleRecord } from '../../contract/index.ts';
import type { ChildRow, DedupeRow, JobRow, QueueRow, SessionRow, TenantRow } from './rows.ts';

/** State of a job that is finished. */
export type FinishedState = 'succeeded' | 'dead' | 'cancelled';

/** Store times at which time alone will change something. */
export interface NextTimes {
  readonly delayed: number | undefined;
  readonly visible: number | undefined;
  readonly kept: number | undefined;
  readonly parked: number | undefined;
  readonly expiry: number | undefined;
  readonly dedupe: number | undefined;
  readonly schedule: number | undefined;
}

/**
 * Rows and the orders in which the engine reads them: all that differs between the adapters that run in this process.
 * Every method is synchronous; the adapter makes a whole engine call atomic. No method scans, except those under "for people".
 */
export interface Tables {
  /** The one row of the queue; changes are kept when the call ends. */
  readonly queue: QueueRow;

  /** @returns the tenant, created with nothing in it when unknown */
  tenant(name: string): TenantRow;
  /** Must follow every change of a tenant: stores it and moves it in the ring. */
  saveTenant(row: TenantRow): void;
  /** The ringed tenant with the highest head class, of these the least virtual time. */
  ringTop(): TenantRow | undefined;
  /** The ringed tenant with the least `since - headClass × aging`. */
  ringUrgent(): TenantRow | undefined;
  /** Parked tenants whose time has come, at most `limit`. */
  parkedBefore(now: number, limit: number): readonly TenantRow[];

  job(id: string): JobRow | undefined;
  insertJob(row: JobRow): void;
  /** Must follow every change of a job, with the state it had before. */
  saveJob(row: JobRow, before: JobRow['state']): void;
  removeJob(row: JobRow): void;
  /** Takes a waiting job from its place and gives it another priority; {@link Tables.saveJob} follows. */
  changePriority(row: JobRow, priority: number): void;
  /** The ready job of the tenant with the least `readyAt - priority × aging`, then the least `seq`. */
  head(tenant: TenantRow): JobRow | undefined;
  /** The ready job that became ready first. */
  oldestReadyAt(): number | undefined;
  delayedBefore(now: number, limit: number): readonly JobRow[];
  /** Leased jobs whose own lease is over. */
  visibleBefore(now: number, limit: number): readonly JobRow[];
  /** Jobs leased by the session, at most `limit`; only those of these calls, where given. */
  leasedBy(session: string, limit: number, calls?: readonly number[]): readonly JobRow[];
  cancelRequestsOf(session: string): readonly JobRow[];
  /** Aging has changed: all orders that depend on it are to be made anew. */
  reorder(): void;

  session(id: string): SessionRow | undefined;
  saveSession(row: SessionRow): void;
  removeSession(id: string): void;
  /** Sessions that are over or have expired, at most `limit`. */
  expiredSessions(now: number, limit: number): readonly SessionRow[];
  sessionCount(now: number): number;

  dedupe(key: string): DedupeRow | undefined;
  saveDedupe(row: DedupeRow): void;
  removeDedupe(key: string): void;
  /** Keys whose time is over. */
  dedupeBefore(now: number, limit: number): readonly DedupeRow[];

  addChild(row: ChildRow): void;
  children(parentId: string): readonly ChildRow[];
  removeChildren(parentId: string): void;

  /** The job of this state that finished first, among those that no `keepUntil` protects. */
  oldestFinished(state: FinishedState): JobRow | undefined;
  /** Finished jobs whose `keepUntil` has passed. */
  keptBefore(now: number, limit: number): readonly JobRow[];

  schedule(key: string): ScheduleRecord | undefined;
  saveSchedule(row: ScheduleRecord): void;
  removeSchedule(key: string): boolean;
  schedules(): readonly ScheduleRecord[];
  dueSchedules(now: number, limit: number): readonly string[];

  /** When something of each kind happens next; undefined: nothing is known. As it stands at the time of the call. */
  nextTimes(): NextTimes;

  // For people: may read more than they return.
  findJobs(filter: JobFilter, after: number, limit: number): readonly JobRow[];
  countJobs(filter: JobFilter): number;
  tenantsAfter(name: string | undefined, limit: number): readonly TenantRow[];
  readyPerPriority(): readonly { readonly priority: number; readonly ready: number }[];
  /** Ready jobs of the tenant before this one, counted up to `limit`. */
  aheadOf(row: JobRow, limit: number): number;
  errorGroups(limit: number): readonly ErrorGroup[];
}

/**
 * Where a ready job stands among the jobs of its tenant; the least goes first. A step of priority is worth `aging` milliseconds of waiting;
 * with strict priorities it is worth more than any wait.
 */
export function rankOf(readyAt: number, priority: number, aging: number): number {
  return readyAt - priority * stepOf(aging);
}

/** Milliseconds that one step of priority is worth. 1e10 (115 days) × 2,000 steps keeps sums exact in a double. */
export function stepOf(aging: number): number {
  return aging > 0 ? aging : 1e10;
}
