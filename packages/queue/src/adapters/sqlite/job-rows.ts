import type { DedupeSpec, JobState } from '../../contract/index.ts';
import { extraOf, type JobRow, newJobRow } from '../engine/job-row.ts';
import type { LineRow } from '../engine/rows.ts';
import { queuesPerFile, stateNumbers } from './schema.ts';

/** A job as SQLite returns it. */
export interface StoredJob {
  readonly row_id: number;
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly state: number;
  readonly priority: number;
  readonly ready_at: number | null;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly cost: number;
  readonly bytes: number;
  readonly enqueued_at: number;
  readonly session: string | null;
  readonly call: number;
  readonly fence: number;
  readonly claimed_at: number;
  readonly visible_until: number | null;
  readonly cancel_requested: number;
  readonly finished_at: number | null;
  readonly keep_until: number | null;
  readonly pending_children: number;
  readonly more: string | null;
  readonly failures: string | null;
  readonly logs: string | null;
  readonly progress: string | null;
  readonly result: string | null;
  readonly payload: string;
}

/**
 * What an acknowledgement needs of a job that is known to be leased to the session, in the order of {@link acknowledgedColumns}. Each value that
 * a driver hands over costs more than the work of SQLite for it: so they come as one JSON list.
 */
export type AcknowledgedJob = readonly [
  rowId: number,
  id: string,
  name: string,
  tenant: string,
  attempt: number,
  fence: number,
  cost: number,
  bytes: number,
  more: string | null,
  failures: string | null,
];

/** The columns of {@link AcknowledgedJob}. */
export const acknowledgedColumns = [
  'row_id',
  'id',
  'name',
  'tenant',
  'attempt',
  'fence',
  'cost',
  'bytes',
  'more',
  'failures',
] as const;

/** What a claim needs of a ready job besides its payload, in the order of {@link readyColumns}; its queue, tenant and priority are known. */
export type ReadyList = readonly [
  rowId: number,
  id: string,
  name: string,
  readyAt: number | null,
  attempt: number,
  maxAttempts: number,
  cost: number,
  bytes: number,
  enqueuedAt: number,
  more: string | null,
];

/** The columns of {@link ReadyList}. */
export const readyColumns = [
  'row_id',
  'id',
  'name',
  'ready_at',
  'attempt',
  'max_attempts',
  'cost',
  'bytes',
  'enqueued_at',
  'more',
] as const;

/** A ready job: a {@link ReadyList} as JSON, and what may be large. */
export interface ReadyJob {
  readonly job: string;
  readonly payload: string;
}

/** The first job of a line beside the columns of others, and whether another stands behind it. */
export interface JoinedJob {
  readonly job: string | null;
  readonly payload: string | null;
  readonly followed: number;
}

/** @returns the columns of the table `from` as one JSON list */
export function listed(columns: readonly string[], from = ''): string {
  return `json_array(${columns.map((column) => from + column).join(', ')})`;
}

/** What most jobs do not have is kept together in one column. */
interface More {
  readonly visibility?: number;
  readonly keepResult?: number;
  readonly traceparent?: string;
  readonly parentId?: string;
  readonly onFailure?: 'fail-parent' | 'ignore';
  readonly children?: number;
  readonly dedupe?: DedupeSpec;
}

const none: readonly never[] = [];
const stateNames = Object.keys(stateNumbers) as JobState[];

/** What few jobs have, into the row. */
function addMore(row: JobRow, json: string): void {
  const more = JSON.parse(json) as More;
  const extra = extraOf(row);
  extra.visibility = more.visibility;
  extra.keepResult = more.keepResult ?? 0;
  extra.traceparent = more.traceparent;
  extra.parentId = more.parentId;
  extra.onFailure = more.onFailure ?? 'fail-parent';
  extra.children = more.children ?? 0;
  extra.dedupe = more.dedupe;
}

const seqOf = (rowId: number): number => Math.floor(rowId / queuesPerFile);

/** A leased job of which only {@link acknowledgedColumns} were read. */
export function fromAcknowledged(stored: AcknowledgedJob, session: string): JobRow {
  const [rowId, id, name, tenant, attempt, fence, cost, bytes, more, failures] = stored;
  const row = newJobRow(seqOf(rowId), { id, name, tenant });
  row.state = 'leased';
  row.lease = { session, call: 0, claimedAt: 0 };
  row.attempt = attempt;
  row.fence = fence;
  row.cost = cost;
  row.bytes = bytes;
  if (more !== null) addMore(row, more);
  if (failures !== null) extraOf(row).failures = readList(failures);
  return row;
}

/** A ready job, of which its line and {@link ReadyJob} are known. */
export function fromReady({ job, payload }: ReadyJob, line: LineRow): JobRow {
  const [rowId, id, name, readyAt, attempt, maxAttempts, cost, bytes, enqueuedAt, more] = JSON.parse(job) as ReadyList;
  const row = newJobRow(seqOf(rowId), { id, name, tenant: line.tenant.name });
  row.priority = line.priority;
  row.payload = payload;
  row.readyAt = readyAt ?? undefined;
  row.attempt = attempt;
  row.maxAttempts = maxAttempts;
  row.cost = cost;
  row.bytes = bytes;
  row.enqueuedAt = enqueuedAt;
  if (more !== null) addMore(row, more);
  return row;
}

/** A job of which everything was read. */
export function toJobRow(stored: StoredJob): JobRow {
  const { session, call, claimed_at: claimedAt, id, name, tenant } = stored;
  const row = newJobRow(seqOf(stored.row_id), { id, name, tenant });
  row.state = stateNames[stored.state] as JobState;
  row.fence = stored.fence;
  row.cost = stored.cost;
  row.bytes = stored.bytes;
  row.payload = stored.payload;
  row.priority = stored.priority;
  row.readyAt = stored.ready_at ?? undefined;
  row.attempt = stored.attempt;
  row.maxAttempts = stored.max_attempts;
  row.enqueuedAt = stored.enqueued_at;
  if (session !== null) row.lease = { session, call, claimedAt };
  if (stored.more !== null) addMore(row, stored.more);
  const extra = extraOf(row);
  extra.failures = readList(stored.failures);
  extra.pendingChildren = stored.pending_children;
  extra.visibleUntil = stored.visible_until ?? undefined;
  extra.cancelRequested = stored.cancel_requested === 1;
  extra.logs = readList(stored.logs);
  extra.progress = stored.progress ?? undefined;
  extra.result = stored.result ?? undefined;
  extra.finishedAt = stored.finished_at ?? undefined;
  extra.keepUntil = stored.keep_until ?? undefined;
  return row;
}

function readList<T>(json: string | null): readonly T[] {
  return json === null ? none : (JSON.parse(json) as T[]);
}
