import type { JobRow, TenantRow } from '../engine/rows.ts';
import { rankOf, type Tables } from '../engine/tables.ts';
import type { Connection } from './connection.ts';
import { changingValues, moreOf, type StoredJob, toJobRow } from './job-rows.ts';
import { queuesPerFile, stateNumbers } from './schema.ts';
import { hot } from './statements.ts';

type JobTables = Pick<
  Tables,
  | 'job'
  | 'insertJob'
  | 'saveJob'
  | 'removeJob'
  | 'changePriority'
  | 'head'
  | 'delayedBefore'
  | 'visibleBefore'
  | 'leasedBy'
  | 'cancelRequestsOf'
  | 'oldestFinished'
  | 'keptBefore'
  | 'oldestReadyAt'
>;

/** The first ready jobs of a tenant, read ahead. */
interface Window {
  readonly rows: JobRow[];
  readonly size: number;
  /** There are no more than were read. */
  readonly complete: boolean;
}

/** First one (placing a tenant needs no more), then more and more (claiming). */
const windowSizes = [1, 8, 64, 512] as const;

/** Jobs in SQLite. Within one call a job is one object, however often it is read. */
export class SqliteJobs implements JobTables {
  readonly #connection: Connection;
  readonly #queue: number;
  readonly #aging: () => number;
  #rows = new Map<string, JobRow>();
  #windows = new Map<string, Window>();

  constructor(connection: Connection, queue: number, aging: () => number) {
    this.#connection = connection;
    this.#queue = queue;
    this.#aging = aging;
  }

  /** Forgets what was read: another call, another state of the file. */
  reset(): void {
    if (this.#rows.size > 0) this.#rows = new Map();
    if (this.#windows.size > 0) this.#windows = new Map();
  }

  /** The one object of this call for a stored job. */
  take(stored: StoredJob): JobRow {
    const known = this.#rows.get(stored.id);
    if (known !== undefined) return known;
    const row = toJobRow(stored, Math.floor(stored.row_id / queuesPerFile));
    this.#rows.set(row.id, row);
    return row;
  }

  job(id: string): JobRow | undefined {
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    const stored = this.#connection.get<StoredJob>(hot.jobById, this.#queue, id);
    return stored && this.take(stored);
  }

  insertJob(row: JobRow): void {
    this.#connection.run(
      hot.insertJob,
      this.#rowId(row),
      this.#queue,
      row.id,
      row.name,
      row.tenant,
      stateNumbers[row.state],
      row.priority,
      this.#rank(row),
      row.readyAt ?? null,
      row.attempt,
      row.maxAttempts,
      row.cost,
      row.bytes,
      row.enqueuedAt,
      row.pendingChildren,
      moreOf(row),
      row.payload,
    );
    this.#rows.set(row.id, row);
    if (row.state === 'ready') this.#windows.delete(row.tenant);
  }

  saveJob(row: JobRow, before: JobRow['state']): void {
    if (before === 'ready' && row.state === 'leased') {
      this.#saveLease(row);
      return;
    }
    this.#connection.run(hot.saveJob, ...changingValues(row, this.#rank(row)), this.#rowId(row));
    if (before === 'ready' || row.state === 'ready') this.#windows.delete(row.tenant);
  }

  removeJob(row: JobRow): void {
    this.#connection.run(hot.removeJob, this.#rowId(row));
    this.#rows.delete(row.id);
    this.#windows.delete(row.tenant);
  }

  changePriority(row: JobRow, priority: number): void {
    row.priority = priority;
  }

  head(tenant: TenantRow): JobRow | undefined {
    const window = this.#windows.get(tenant.name);
    const first = window?.rows[0];
    if (first !== undefined) return first;
    if (window?.complete) return undefined;
    return this.#readAhead(tenant.name, window?.size ?? 0);
  }

  delayedBefore(now: number, limit: number): JobRow[] {
    return this.#all(hot.delayedBefore, now, limit);
  }

  visibleBefore(now: number, limit: number): JobRow[] {
    return this.#all(hot.visibleBefore, now, limit);
  }

  leasedBy(session: string, limit: number, calls?: readonly number[]): JobRow[] {
    const rows = this.#all(hot.leasedBy, session, calls === undefined ? limit : -1);
    return calls === undefined ? rows : rows.filter((row) => calls.includes(row.call)).slice(0, limit);
  }

  cancelRequestsOf(session: string): JobRow[] {
    return this.#all(hot.cancelRequests, session);
  }

  oldestFinished(state: 'succeeded' | 'dead' | 'cancelled'): JobRow | undefined {
    return this.#all(hot.oldestFinished, stateNumbers[state])[0];
  }

  keptBefore(now: number, limit: number): JobRow[] {
    return this.#all(hot.keptBefore, now, limit);
  }

  oldestReadyAt(): number | undefined {
    return this.#connection.get<{ at: number }>(hot.oldestReady, this.#queue)?.at;
  }

  #all(sql: string, ...values: (string | number)[]): JobRow[] {
    return this.#connection.all<StoredJob>(sql, this.#queue, ...values).map((stored) => this.take(stored));
  }

  #readAhead(tenant: string, before: number): JobRow | undefined {
    const size = windowSizes.find((candidate) => candidate > before) ?? 512;
    const rows = this.#all(hot.heads, tenant, size);
    this.#windows.set(tenant, { rows, size, complete: rows.length < size });
    return rows[0];
  }

  #saveLease(row: JobRow): void {
    this.#connection.run(
      hot.leaseJob,
      row.attempt,
      row.session ?? null,
      row.call,
      row.fence,
      row.claimedAt,
      row.visibleUntil ?? null,
      this.#rowId(row),
    );
    const window = this.#windows.get(row.tenant);
    if (window?.rows[0] === row) window.rows.shift();
    else this.#windows.delete(row.tenant);
  }

  #rowId(row: JobRow): number {
    return row.seq * queuesPerFile + this.#queue;
  }

  #rank(row: JobRow): number | null {
    return row.state === 'ready' ? rankOf(row.readyAt ?? 0, row.priority, this.#aging()) : null;
  }
}
