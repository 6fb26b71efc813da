import type { DedupeSpec, JobFailure, JobState } from '../../contract/index.ts';
import type { JobRow } from '../engine/rows.ts';
import type { SqlValue } from './driver.ts';
import { stateNumbers } from './schema.ts';

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

const stateNames = Object.keys(stateNumbers) as JobState[];

/** @param seq - the job's sequence number, from its row id */
export function toJobRow(stored: StoredJob, seq: number): JobRow {
  const more = (stored.more === null ? {} : JSON.parse(stored.more)) as More;
  return {
    seq,
    id: stored.id,
    name: stored.name,
    payload: stored.payload,
    bytes: stored.bytes,
    tenant: stored.tenant,
    priority: stored.priority,
    state: stateNames[stored.state] as JobState,
    readyAt: stored.ready_at ?? undefined,
    attempt: stored.attempt,
    maxAttempts: stored.max_attempts,
    cost: stored.cost,
    visibility: more.visibility,
    keepResult: more.keepResult ?? 0,
    enqueuedAt: stored.enqueued_at,
    traceparent: more.traceparent,
    parentId: more.parentId,
    onFailure: more.onFailure ?? 'fail-parent',
    children: more.children ?? 0,
    pendingChildren: stored.pending_children,
    dedupe: more.dedupe,
    session: stored.session ?? undefined,
    call: stored.call,
    fence: stored.fence,
    claimedAt: stored.claimed_at,
    visibleUntil: stored.visible_until ?? undefined,
    cancelRequested: stored.cancel_requested === 1,
    failures: stored.failures === null ? [] : (JSON.parse(stored.failures) as JobFailure[]),
    logs: stored.logs === null ? [] : (JSON.parse(stored.logs) as string[]),
    progress: stored.progress ?? undefined,
    result: stored.result ?? undefined,
    finishedAt: stored.finished_at ?? undefined,
    keepUntil: stored.keep_until ?? undefined,
    place: undefined,
    slot: -1,
    leaseSlot: -1,
  };
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

/** What may change in the life of a job, in the order of {@link changingColumns}. */
export function changingValues(row: JobRow, rank: number | null): SqlValue[] {
  return [
    stateNumbers[row.state],
    row.priority,
    rank,
    row.readyAt ?? null,
    row.attempt,
    row.bytes,
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
    listOf(row.logs),
    row.progress ?? null,
    row.result ?? null,
    row.payload,
  ];
}

/** The columns of {@link changingValues}. */
export const changingColumns: readonly string[] = [
  'state',
  'priority',
  'rank',
  'ready_at',
  'attempt',
  'bytes',
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
  'logs',
  'progress',
  'result',
  'payload',
];
