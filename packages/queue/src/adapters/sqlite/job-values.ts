import { isOrdinary, type JobRow } from '../engine/job-row.ts';
import type { SqlValue } from './driver.ts';
import { stateNumbers } from './schema.ts';

/** The `more` column of a job; null for most. */
function moreOf(row: JobRow): string | null {
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
