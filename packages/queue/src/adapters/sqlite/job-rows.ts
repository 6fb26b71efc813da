import type { DedupeSpec, JobState } from '../../contract/index.ts';
import { type JobRow, type LineRow, newJobRow } from '../engine/rows.ts';
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
  row.visibility = more.visibility;
  row.keepResult = more.keepResult ?? 0;
  row.traceparent = more.traceparent;
  row.parentId = more.parentId;
  row.onFailure = more.onFailure ?? 'fail-parent';
  row.children = more.children ?? 0;
  row.dedupe = more.dedupe;
  return row;
}

/** A leased job of which only {@link acknowledgedColumns} were read. */
export function fromAcknowledged(stored: AcknowledgedJob, seq: number): JobRow {
  const row = fromCommon(stored, stored.tenant, seq);
  row.state = stateNames[stored.state] as JobState;
  row.session = stored.session ?? undefined;
  row.fence = stored.fence;
  row.failures = readList(stored.failures);
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
  return {
    ...fromAcknowledged(stored, seq),
    payload: stored.payload,
    priority: stored.priority,
    readyAt: stored.ready_at ?? undefined,
    attempt: stored.attempt,
    maxAttempts: stored.max_attempts,
    enqueuedAt: stored.enqueued_at,
    pendingChildren: stored.pending_children,
    call: stored.call,
    claimedAt: stored.claimed_at,
    visibleUntil: stored.visible_until ?? undefined,
    cancelRequested: stored.cancel_requested === 1,
    logs: readList(stored.logs),
    progress: stored.progress ?? undefined,
    result: stored.result ?? undefined,
    finishedAt: stored.finished_at ?? undefined,
    keepUntil: stored.keep_until ?? undefined,
  };
}

function readList<T>(json: string | null): readonly T[] {
  return json === null ? none : (JSON.parse(json) as T[]);
}

/** The `more` column of a job; null for most. */
export function moreOf(row: JobRow): string | null {
  const ordinary =
    row.visibility === undefined &&
    row.keepResult === 0 &&
    row.traceparent === undefined &&
    row.parentId === undefined &&
    row.children === 0 &&
    row.dedupe === undefined;
  if (ordinary) return null;
  const { visibility, keepResult, traceparent, parentId, onFailure, children, dedupe } = row;
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
    row.pendingChildren,
    moreOf(row),
    row.payload,
  ];
}

/** What may change in the life of a job besides its content, in the order of {@link changingColumns}. */
export function changingValues(row: JobRow): SqlValue[] {
  return [
    stateNumbers[row.state],
    row.priority,
    row.readyAt ?? null,
    row.attempt,
    row.session ?? null,
    row.call,
    row.fence,
    row.claimedAt,
    row.visibleUntil ?? null,
    row.cancelRequested ? 1 : 0,
    row.finishedAt ?? null,
    row.keepUntil ?? null,
    row.pendingChildren,
    moreOf(row),
    listOf(row.failures),
    row.result ?? null,
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
