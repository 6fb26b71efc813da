import type { JobPlace, JobRow } from '../engine/job-row.ts';
import type { LineRow, TenantRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import type { Connection } from './connection.ts';
import {
  type AcknowledgedJob,
  fromAcknowledged,
  fromReady,
  type JoinedJob,
  type ReadyJob,
  type StoredJob,
  toJobRow,
} from './job-rows.ts';
import { changingValues, listOf } from './job-values.ts';
import { createJobWrites, type JobWrites } from './job-writes.ts';
import { queuesPerFile, stateNumbers } from './schema.ts';
import { hot } from './statements.ts';

type JobTables = Pick<
  Tables,
  | 'job'
  | 'leased'
  | 'insertJob'
  | 'saveJob'
  | 'saveContent'
  | 'removeJob'
  | 'changePriority'
  | 'head'
  | 'isEmpty'
  | 'expectClaims'
  | 'delayedBefore'
  | 'visibleBefore'
  | 'leasedBy'
  | 'cancelRequestsOf'
  | 'oldestFinished'
  | 'keptBefore'
  | 'oldestReadyAt'
>;

/** The first jobs of a line, read ahead. */
class Window implements JobPlace {
  readonly rows: JobRow[];
  readonly size: number;
  /** What stands behind them: nothing, something, or it is not known. */
  readonly rest: 'none' | 'some' | 'unknown';

  constructor(rows: JobRow[], size: number, rest: Window['rest']) {
    this.rows = rows;
    this.size = size;
    this.rest = rest;
    for (const row of rows) row.place = this;
  }

  /** Jobs leave a window from its front: they are claimed. What else happens to a ready job makes all windows be forgotten. */
  remove(row: JobRow): void {
    row.place = undefined;
    this.rows.shift();
  }
}

/** First two (the one that starts, and whether another follows), then more and more; at once what is wanted where no other tenant waits. */
const windowSizes = [2, 16, 128, 512] as const;
const largestWindow = 512;

/**
 * Jobs in SQLite. Within one call a job is one object, however often it is read. What most calls do to many jobs is written in one statement:
 * {@link JobWrites} keeps it until something is read.
 */
export class SqliteJobs implements JobTables {
  readonly #connection: Connection;
  readonly #queue: number;
  readonly #writes: JobWrites;
  #rows = new Map<string, JobRow>();
  #absent = new Set<string>();
  #windows = new Map<LineRow, Window>();

  /** So many jobs may still be claimed in this call. */
  #wanted = 0;
  readonly #isAlone: (tenant: TenantRow) => boolean;

  /** @param isAlone - whether only this tenant has ready jobs */
  constructor(connection: Connection, queue: number, isAlone: (tenant: TenantRow) => boolean) {
    this.#connection = connection;
    this.#queue = queue;
    this.#isAlone = isAlone;
    this.#writes = createJobWrites(connection, queue);
  }

  /** Forgets what was read: another call, another state of the file. */
  reset(): void {
    this.#writes.drop();
    this.#wanted = 0;
    if (this.#rows.size > 0) this.#rows = new Map();
    if (this.#absent.size > 0) this.#absent = new Set();
    if (this.#windows.size > 0) this.#windows = new Map();
  }

  /** Writes what was kept. */
  flush(): void {
    this.#writes.flush();
  }

  /** The one object of this call for a stored job. */
  take(stored: StoredJob): JobRow {
    return this.#remember(stored.id, () => toJobRow(stored));
  }

  /** Looks ids up at once. */
  lookUp(ids: readonly string[]): void {
    for (const id of ids) this.#absent.add(id);
    const found = this.#connection.all<StoredJob>(hot.jobsByIds, JSON.stringify(ids), this.#queue);
    for (const stored of found) this.#absent.delete(this.take(stored).id);
  }

  /** Reads what acknowledging needs of these leases. Answers those that are held. */
  readAcks(session: string, acks: readonly { readonly jobId: string; readonly fence: number }[]): JobRow[] {
    const fences = new Map(acks.map(({ jobId, fence }) => [jobId, fence]));
    const ids = JSON.stringify([...fences.keys()]);
    const stored = this.#connection.get<{ jobs: string }>(hot.acknowledged, ids, this.#queue, session);
    const held: JobRow[] = [];
    for (const job of JSON.parse(stored?.jobs ?? '[]') as AcknowledgedJob[]) {
      const [, id, , , , fence] = job;
      if (fence === fences.get(id)) held.push(this.#remember(id, () => fromAcknowledged(job, session)));
    }
    return held;
  }

  job(id: string): JobRow | undefined {
    const known = this.#rows.get(id);
    if (known !== undefined || this.#absent.has(id)) return known;
    const stored = this.#connection.get<StoredJob>(hot.jobById, this.#queue, id);
    return stored && this.take(stored);
  }

  leased(session: string, id: string, fence: number): JobRow | undefined {
    const row = this.job(id);
    return row?.lease?.session === session && row.fence === fence ? row : undefined;
  }

  insertJob(row: JobRow): void {
    this.#writes.insert(row);
    this.#rows.set(row.id, row);
    this.#absent.delete(row.id);
    if (row.state === 'ready') this.#forgetWindows();
  }

  saveJob(row: JobRow, before: JobRow['state']): void {
    if (before === 'ready' && row.state === 'leased') {
      this.#lease(row);
      return;
    }
    if (before === 'ready' || row.state === 'ready') this.#forgetWindows();
    if (this.#writes.isNew(row)) return;
    if (before === 'leased' && stateNumbers[row.state] >= stateNumbers.succeeded) this.#finish(row);
    else this.#connection.run(hot.saveJob, ...changingValues(row), this.#rowId(row));
  }

  saveContent(row: JobRow): void {
    if (this.#writes.isNew(row)) return;
    const { payload, bytes } = row;
    const { progress, logs } = row.extra;
    this.#connection.run(hot.saveContent, payload, bytes, progress ?? null, listOf(logs), this.#rowId(row));
    if (row.state === 'ready') this.#forgetWindows();
  }

  removeJob(row: JobRow): void {
    this.#writes.remove(row);
    this.#rows.delete(row.id);
    this.#absent.add(row.id);
    this.#forgetWindows();
  }

  changePriority(row: JobRow, priority: number): void {
    this.#forgetWindows();
    row.priority = priority;
  }

  head(line: LineRow): JobRow | undefined {
    const window = this.#windows.get(line);
    const first = window?.rows[0];
    if (first !== undefined) return first;
    if (window?.rest === 'none') return undefined;
    return this.#readAhead(line, window?.size ?? 0);
  }

  isEmpty(line: LineRow): boolean {
    const rest = this.#windows.get(line)?.rest;
    return rest !== 'some' && this.head(line) === undefined;
  }

  expectClaims(count: number): void {
    this.#wanted = count;
  }

  /** How many jobs may still be claimed in this call. */
  get wanted(): number {
    return this.#wanted;
  }

  /** The first job of a line was read with the line. */
  takeHead(line: LineRow, stored: JoinedJob): void {
    const { job, payload, followed } = stored;
    if (job === null || payload === null || this.#windows.has(line)) return;
    const rows = [this.#known({ job, payload }, line)];
    this.#windows.set(line, new Window(rows, 1, followed === 1 ? 'some' : 'none'));
  }

  delayedBefore(now: number, limit: number): JobRow[] {
    return this.#all(hot.delayedBefore, now, limit);
  }

  visibleBefore(now: number, limit: number): JobRow[] {
    return this.#all(hot.visibleBefore, now, limit);
  }

  leasedBy(session: string, limit: number, calls?: readonly number[]): JobRow[] {
    const rows = this.#all(hot.leasedBy, session, calls === undefined ? limit : -1);
    return calls === undefined ? rows : rows.filter((row) => calls.includes(row.lease?.call ?? 0)).slice(0, limit);
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
    this.flush();
    return this.#connection.get<{ at: number | null }>(hot.oldestReady, this.#queue)?.at ?? undefined;
  }

  #all(sql: string, ...values: (string | number)[]): JobRow[] {
    this.flush();
    return this.#connection.all<StoredJob>(sql, this.#queue, ...values).map((stored) => this.take(stored));
  }

  #remember(id: string, make: () => JobRow): JobRow {
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    const row = make();
    this.#rows.set(id, row);
    return row;
  }

  /** The one object of this call for a ready job; one that is not known yet becomes known when it is claimed. */
  #known(stored: ReadyJob, line: LineRow): JobRow {
    const row = fromReady(stored, line);
    return this.#rows.get(row.id) ?? row;
  }

  #readAhead(line: LineRow, before: number): JobRow | undefined {
    if (this.#writes.concern(line)) this.flush();
    const { tenant, priority } = line;
    const enough = this.#isAlone(tenant) ? this.#wanted + 1 : 0;
    const size = Math.min(largestWindow, Math.max(enough, windowSizes.find((one) => one > before) ?? largestWindow));
    const stored = this.#connection.all<ReadyJob>(hot.heads, this.#queue, tenant.name, priority, size);
    const rows = stored.map((job) => this.#known(job, line));
    this.#windows.set(line, new Window(rows, size, rows.length < size ? 'none' : 'unknown'));
    return rows[0];
  }

  #lease(row: JobRow): void {
    this.#wanted -= 1;
    this.#writes.lease(row);
    this.#rows.set(row.id, row);
    if (row.place instanceof Window && row.place.rows[0] === row) row.place.remove(row);
    else this.#forgetWindows();
  }

  #finish(row: JobRow): void {
    const { state } = row;
    const { finishedAt = null, keepUntil = null, result = null, failures } = row.extra;
    // An attempt that did not count has been taken back, also when the job ends by it: somebody asked to cancel it.
    const values = [stateNumbers[state], row.attempt, finishedAt, keepUntil, result, listOf(failures)];
    this.#connection.run(hot.finishJob, ...values, this.#rowId(row));
  }

  /** A job that is ready, or was, has changed: what was read ahead may no longer be the head of its line. A call changes first, then claims. */
  #forgetWindows(): void {
    if (this.#windows.size > 0) this.#windows.clear();
  }

  #rowId(row: JobRow): number {
    return row.seq * queuesPerFile + this.#queue;
  }
}
