import type { ClaimedJob } from '../../contract/index.ts';

/** Rare fields of a job; see `extraOf`. */
interface Extra {
  readonly v?: number;
  readonly t?: string;
  readonly p?: string;
  readonly c?: number;
}

/** A value of each job: a list, or the one that all share. */
type Column<T> = T | readonly T[];

/** Claimed jobs, column by column; see `fn.tell_jobs`. Lengths of payloads are bytes. */
export type ClaimColumns = readonly [
  firstFence: number,
  ids: readonly string[],
  names: Column<string>,
  tenants: Column<string>,
  priorities: Column<number>,
  /** The only column that is always in the order of claiming. */
  attempts: Column<number>,
  maxAttempts: Column<number>,
  costs: Column<number>,
  enqueuedAt: Column<number>,
  readyAt: Column<number>,
  lengths: readonly number[],
  extras: readonly (Extra | null)[] | null,
  /** Place of each row in the order of claiming; null when the rows stand in it. */
  places: readonly number[] | null,
];

/** The jobs of a claim in its order; their payloads stand in `bodies` one after the other. */
export function claimedJobs(columns: ClaimColumns | null, bodies: string, now: number): ClaimedJob[] {
  if (columns === null) return [];
  const [, ids, , , , , , , , , lengths, , places] = columns;
  const payloads = cut(bodies, lengths);
  const jobs = ids.map((_, row) => claimedJob(columns, row, places?.[row] ?? row, payloads[row] as string, now));
  return places === null ? jobs : jobs.sort((a, b) => a.fence - b.fence);
}

/** Most characters of which pieces are taken as they are: a piece keeps the whole in memory as long as its job runs. */
const mostShared = 131_072;

function cut(bodies: string, lengths: readonly number[]): string[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  // As many characters as bytes: all are ASCII.
  const shared = bodies.length === total && total <= mostShared;
  const bytes = shared ? undefined : Buffer.from(bodies);
  let end = 0;
  return lengths.map((length) => {
    const from = end;
    end += length;
    return bytes?.toString('utf8', from, end) ?? bodies.slice(from, end);
  });
}

function valueAt<T extends string | number>(column: Column<T>, row: number): T {
  return typeof column === 'object' ? (column[row] as T) : column;
}

function claimedJob(columns: ClaimColumns, row: number, place: number, payload: string, now: number): ClaimedJob {
  const [first, ids, names, tenants, priorities, attempts, maxAttempts, costs, enqueuedAt, readyAt, , extras] = columns;
  const extra = extras?.[row] ?? undefined;
  const job: ClaimedJob = {
    id: ids[row] as string,
    name: valueAt(names, row),
    payload,
    tenant: valueAt(tenants, row),
    priority: valueAt(priorities, row),
    attempt: valueAt(attempts, place),
    maxAttempts: valueAt(maxAttempts, row),
    fence: first + place,
    cost: valueAt(costs, row),
    enqueuedAt: valueAt(enqueuedAt, row),
    waitMs: Math.max(0, now - valueAt(readyAt, row)),
    hasChildren: extra?.c !== undefined,
  };
  if (extra === undefined) return job;
  return {
    ...job,
    ...(extra.v !== undefined && { visibility: extra.v }),
    ...(extra.t !== undefined && { traceparent: extra.t }),
    ...(extra.p !== undefined && { parentId: extra.p }),
  };
}
