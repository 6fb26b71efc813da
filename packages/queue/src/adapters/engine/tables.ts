import type { ErrorGroup, JobFilter, ScheduleRecord } from '../../contract/index.ts';
import type { JobRow } from './job-row.ts';
import type { ChildRow, ClassRow, DedupeRow, LineRow, QueueRow, SessionRow, TenantRow } from './rows.ts';

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
  /** Must follow every change of a tenant. */
  saveTenant(row: TenantRow): void;
  /** Parked tenants whose time has come, at most `limit`. */
  parkedBefore(now: number, limit: number): readonly TenantRow[];
  /** Tenants with held lines, whatever holds them. */
  heldTenants(): readonly TenantRow[];

  /** The line of the tenant in this class; `new` when it has no jobs. */
  line(tenant: TenantRow, priority: number): LineRow;
  /** Must follow every change of a line: puts it into the ring, moves it there, or takes it out. */
  saveLine(row: LineRow): void;
  /** The line has no job any more. */
  removeLine(row: LineRow): void;
  /** Lines of the tenant that are held: at most one per class. */
  heldLines(tenant: TenantRow): readonly LineRow[];
  /** The ringed line of this class with the least score. */
  ringTop(priority: number): LineRow | undefined;
  /** The class with the least `since - priority × aging`, of these the highest. */
  nextClass(): ClassRow | undefined;
  /** The class has a line in its ring; `since` counts for a class that had none. */
  openClass(priority: number, since: number): void;
  /** Must follow every change of a class. */
  saveClass(row: ClassRow): void;
  /** The ring of the class is empty. */
  removeClass(row: ClassRow): void;

  /** These jobs are about to be enqueued: their ids and tenants may be looked up at once. */
  expectJobs(jobs: readonly { readonly id: string; readonly tenant: string }[]): void;
  /**
   * These leases of the session are about to be acknowledged: they may be read at once, and of a job that is found so under its fence
   * {@link Tables.job} need not know its payload, progress, logs and times.
   */
  expectAcks(session: string, acks: () => readonly { readonly jobId: string; readonly fence: number }[]): void;
  /** At most so many jobs are about to be claimed: they may be read at once. */
  expectClaims(count: number): void;
  job(id: string): JobRow | undefined;
  /** The job, if the session holds it under this very fence. */
  leased(session: string, id: string, fence: number): JobRow | undefined;
  insertJob(row: JobRow): void;
  /** Must follow every change of a job, with the state it had before. */
  saveJob(row: JobRow, before: JobRow['state']): void;
  /** Must follow every change of payload, bytes, progress or logs. */
  saveContent(row: JobRow): void;
  removeJob(row: JobRow): void;
  /** Takes a waiting job from its place and gives it another priority; {@link Tables.saveJob} follows. */
  changePriority(row: JobRow, priority: number): void;
  /** The first job of the line: the least `readyAt`, then the least `seq`. */
  head(line: LineRow): JobRow | undefined;
  /** Whether {@link Tables.head} would find none; may cost less. */
  isEmpty(line: LineRow): boolean;
  /** The ready job that became ready first. */
  oldestReadyAt(): number | undefined;
  delayedBefore(now: number, limit: number): readonly JobRow[];
  /** Leased jobs whose own lease is over. */
  visibleBefore(now: number, limit: number): readonly JobRow[];
  /** Jobs leased by the session, at most `limit`; only those of these calls, where given. */
  leasedBy(session: string, limit: number, calls?: readonly number[]): readonly JobRow[];
  cancelRequestsOf(session: string): readonly JobRow[];
  /** Aging has changed: the order of the classes is to be made anew. */
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

/** Where a class stands among the classes; the least has the next turn. */
export function turnOf({ since, priority }: Pick<ClassRow, 'since' | 'priority'>, aging: number): number {
  return since - priority * stepOf(aging);
}

/** Milliseconds of waiting that one step of priority is worth; with strict priorities more than any wait. 1e10 (115 days) × 2,000 steps keeps sums exact in a double. */
function stepOf(aging: number): number {
  return aging > 0 ? aging : 1e10;
}
