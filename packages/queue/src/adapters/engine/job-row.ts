import type { DedupeSpec, JobFailure, JobState } from '../../contract/index.ts';
import type { TenantRow } from './rows.ts';

/**
 * A job as the engine works on it. Mutable: change it, then hand it to the {@link Tables} method that fits.
 * A million of them may wait in memory, so what few jobs have, and what no waiting job has, lies elsewhere.
 */
export interface JobRow {
  /** Position in the store, from 1 up; ties of `readyAt` are settled by it. */
  seq: number;
  id: string;
  name: string;
  payload: string;
  bytes: number;
  tenant: string;
  priority: number;
  state: JobState;
  /** When it became or becomes ready; `undefined` while it waits for other jobs. */
  readyAt: number | undefined;
  attempt: number;
  maxAttempts: number;
  cost: number;
  enqueuedAt: number;
  /** Of the last lease; 0 before the first. */
  fence: number;
  /** Who holds it; undefined when nobody does. */
  lease: Lease | undefined;
  /** Read freely; change it by {@link extraOf}. */
  extra: Readonly<Extra>;
  /** Its tenant, where the tables know it without looking: see {@link tenantOf}. */
  home: TenantRow | undefined;
  /** Where the tables keep it; the engine leaves these alone. */
  place: JobPlace | undefined;
  slot: number;
  next: JobRow | undefined;
  previous: JobRow | undefined;
  hash: number;
  collided: JobRow | undefined;
}

/** A claim; all jobs of one claim may share it. */
export interface Lease {
  readonly session: string;
  readonly call: number;
  readonly claimedAt: number;
}

/** What most jobs never have. */
export interface Extra {
  visibility: number | undefined;
  keepResult: number;
  traceparent: string | undefined;
  parentId: string | undefined;
  onFailure: 'fail-parent' | 'ignore';
  children: number;
  pendingChildren: number;
  dedupe: DedupeSpec | undefined;
  visibleUntil: number | undefined;
  cancelRequested: boolean;
  failures: readonly JobFailure[];
  logs: readonly string[];
  progress: string | undefined;
  result: string | undefined;
  finishedAt: number | undefined;
  /** Kept for `handle.result()` until then, whatever retention says. */
  keepUntil: number | undefined;
}

/** A structure that holds jobs and can let one go. */
export interface JobPlace {
  remove(row: JobRow): void;
}

const none: readonly never[] = [];

/** The extra of all jobs that have none of their own. */
const ordinary: Readonly<Extra> = {
  visibility: undefined,
  keepResult: 0,
  traceparent: undefined,
  parentId: undefined,
  onFailure: 'fail-parent',
  children: 0,
  pendingChildren: 0,
  dedupe: undefined,
  visibleUntil: undefined,
  cancelRequested: false,
  failures: none,
  logs: none,
  progress: undefined,
  result: undefined,
  finishedAt: undefined,
  keepUntil: undefined,
};

/** Whether nothing is to be known of the job but what every job has. */
export function isOrdinary(row: JobRow): boolean {
  return row.extra === ordinary;
}

/** The job's own extra, to be changed; made when it has none yet. */
export function extraOf(row: JobRow): Extra {
  if (row.extra === ordinary) row.extra = { ...ordinary };
  return row.extra;
}

/** A job of which nothing but this is known. One literal with every field, so that all rows have one shape; lists are replaced, never changed. */
export function newJobRow(seq: number, { id, name, tenant }: Pick<JobRow, 'id' | 'name' | 'tenant'>): JobRow {
  return {
    seq,
    id,
    name,
    payload: '',
    bytes: 0,
    tenant,
    priority: 0,
    state: 'ready',
    readyAt: undefined,
    attempt: 0,
    maxAttempts: 0,
    cost: 0,
    enqueuedAt: 0,
    fence: 0,
    lease: undefined,
    extra: ordinary,
    home: undefined,
    place: undefined,
    slot: -1,
    next: undefined,
    previous: undefined,
    hash: 0,
    collided: undefined,
  };
}
