import type { DedupeSpec, JobState } from '../../contract/index.ts';
import { extraOf, isOrdinary, type JobRow, newJobRow } from '../engine/job-row.ts';
import type { LineRow } from '../engine/rows.ts';
import type { SqlValue } from './driver.ts';
import { stateNumbers } from './schema.ts';

/** A job as SQLite returns it. */
export interface StoredJob extends AcknowledgedJob {
  readonly priority: number;
  readonly ready_at: number | null;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly enqueued_at: number;
  readonly call: number;
  readonly claimed_at: number;
  readonly visible_until: number | null;
  readonly cancel_requested: number;
  readonly finished_at: number | null;
  readonly keep_until: number | null;
  readonly pending_children: number;
  readonly logs: string | null;
  readonly progress: string | null;
  readonly result: string | null;
  readonly payload: string;
}

/** What an acknowledgement needs of a leased job. */
export interface AcknowledgedJob {
  readonly row_id: number;
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly state: number;
  readonly session: string | null;
  readonly fence: number;
  readonly cost: number;
  readonly bytes: number;
  readonly more: string | null;
  readonly failures: string | null;
}

/** What a claim needs of a ready job; its queue, tenant and priority are known. Each column read costs a quarter of a microsecond. */
export type ReadyJob = Pick<StoredJob, (typeof readyColumns)[number]>;

/** The columns of {@link AcknowledgedJob}. */
export const acknowledgedColumns: readonly (keyof AcknowledgedJob)[] = [
  'row_id',
  'id',
  'name',
  'tenant',
  'state',
  'session',
  'fence',
  'cost',
  'bytes',
  'more',
  'failures',
];

/** The first job of a line beside the columns of others, and whether another stands behind it. */
export type JoinedJob = { readonly [K in keyof ReadyJob as `job_${K}`]: ReadyJob[K] | null } & {
  readonly followed: number;
};

/** @returns the job that was read beside something else */
export function fromJoined(stored: JoinedJob): ReadyJob | undefined {
  if (stored.job_row_id === null) return undefined;
  return {
    row_id: stored.job_row_id,
    id: stored.job_id ?? '',
    name: stored.job_name ?? '',
    ready_at: stored.job_ready_at,
    attempt: stored.job_attempt ?? 0,
    max_attempts: stored.job_max_attempts ?? 0,
    cost: stored.job_cost ?? 0,
    bytes: stored.job_bytes ?? 0,
    enqueued_at: stored.job_enqueued_at ?? 0,
    more: stored.job_more,
    payload: stored.job_payload ?? '',
  };
}

/** The columns of {@link ReadyJob}. */
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
  'payload',
] as const;

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

/** What all reads of jobs have in common. */
type Common = Pick<StoredJob, 'id' | 'name' | 'cost' | 'bytes' | 'more'>;

function fromCommon(stored: Common, tenant: string, seq: number): JobRow {
  const row = newJobRow(seq, { id: stored.id, name: stored.name, tenant });
  row.cost = stored.cost;
  row.bytes = stored.bytes;
  if (stored.more === null) return row;
  const more = JSON.parse(stored.more) as More;
  const extra = extraOf(row);
  extra.visibility = more.visibility;
  extra.keepResult = more.keepResult ?? 0;
  extra.traceparent = more.traceparent;
  extra.parentId = more.parentId;
  extra.onFailure = more.onFailure ?? 'fail-parent';
  extra.children = more.children ?? 0;
  extra.dedupe = more.dedupe;
  return row;
}

/** A leased job of which only {@link acknowledgedColumns} were read. */
export function fromAcknowledged(stored: AcknowledgedJob, seq: number): JobRow {
  const row = fromCommon(stored, stored.tenant, seq);
  row.state = stateNames[stored.state] as JobState;
  if (stored.session !== null) row.lease = { session: stored.session, call: 0, claimedAt: 0 };
  row.fence = stored.fence;
  if (stored.failures !== null) extraOf(row).failures = readList(stored.failures);
  return row;
}

/** A ready job of which only {@link readyColumns} were read. */
export function fromReady(stored: ReadyJob, seq: number, line: LineRow): JobRow {
  const row = fromCommon(stored, line.tenant.name, seq);
  row.priority = line.priority;
  row.payload = stored.payload;
  row.readyAt = stored.ready_at ?? undefined;
  row.attempt = stored.attempt;
  row.maxAttempts = stored.max_attempts;
  row.enqueuedAt = stored.enqueued_at;
  return row;
}

/** @param seq - the job's sequence number, from its row id */
export function toJobRow(stored: StoredJob, seq: number): JobRow {
  const { session, call, claimed_at: claimedAt } = stored;
  const row = fromAcknowledged(stored, seq);
  row.payload = stored.payload;
  row.priority = stored.priority;
  row.readyAt = stored.ready_at ?? undefined;
  row.attempt = stored.attempt;
  row.maxAttempts = stored.max_attempts;
  row.enqueuedAt = stored.enqueued_at;
  if (session !== null) row.lease = { session, call, claimedAt };
  const extra = extraOf(row);
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

/** The `more` column of a job; null for most. */
export function moreOf(row: JobRow): string | null {
  if (isOrdinary(row)) return null;
  const { visibility, keepResult, traceparent, parentId, onFailure, children, dedupe } = row.extra;
  const some = visibility ?? traceparent ?? parentId ?? dedupe;
  if (some === undefined && keepResult === 0 && children === 0) return null;
  return JSON.stringify({ visibility, keepResult, traceparent, parentId, onFailure, children, dedupe });
}

/** A list column; null when empty. */
export function listOf(values: readonly unknown[]): string | null {
  return values.length === 0 ? null : JSON.stringify(values);
}

/** The columns of {@link insertedValues}. */
export const insertedColumns = [
  'row_id',
  'queue',
  'id',
  'name',
  'tenant',
  'state',
  'priority',
  'ready_at',
  'attempt',
  'max_attempts',
  'cost',
  'bytes',
  'enqueued_at',
  'pending_children',
  'more',
  'payload',
] as const;

/** A new job, in the order of {@link insertedColumns}. */
export function insertedValues(row: JobRow, rowId: number, queue: number): SqlValue[] {
  return [
    rowId,
    queue,
    row.id,
    row.name,
    row.tenant,
    stateNumbers[row.state],
    row.priority,
    row.readyAt ?? null,
    row.attempt,
    row.maxAttempts,
    row.cost,
    row.bytes,
    row.enqueuedAt,
    row.extra.pendingChildren,
    moreOf(row),
    row.payload,
  ];
}

/** What may change in the life of a job besides its content, in the order of {@link changingColumns}. */
export function changingValues(row: JobRow): SqlValue[] {
  const { lease, extra } = row;
  return [
    stateNumbers[row.state],
    row.priority,
    row.readyAt ?? null,
    row.attempt,
    lease?.session ?? null,
    lease?.call ?? 0,
    row.fence,
    lease?.claimedAt ?? 0,
    extra.visibleUntil ?? null,
    extra.cancelRequested ? 1 : 0,
    extra.finishedAt ?? null,
    extra.keepUntil ?? null,
    extra.pendingChildren,
    moreOf(row),
    listOf(extra.failures),
    extra.result ?? null,
  ];
}

/** The columns of {@link changingValues}. */
export const changingColumns: readonly string[] = [
  'state',
  'priority',
  'ready_at',
  'attempt',
  'session',
  'call',
  'fence',
  'claimed_at',
  'visible_until',
  'cancel_requested',
  'finished_at',
  'keep_until',
  'pending_children',
  'more',
  'failures',
  'result',
];
