import type { ClaimedJob } from '../../contract/index.ts';

/** Rare fields of a job; see `extraOf`. */
interface Extra {
  readonly v?: number;
  readonly t?: string;
  readonly p?: string;
  readonly c?: number;
}

/** A batch of claimed jobs, column by column; see `fn.columns`. Lengths of payloads are bytes. */
export type ClaimColumns = readonly [
  firstFence: number,
  ids: readonly string[],
  names: readonly string[],
  tenants: readonly string[],
  priorities: readonly number[],
  attempts: readonly number[],
  maxAttempts: readonly number[],
  costs: readonly number[],
  enqueuedAt: readonly number[],
  readyAt: readonly number[],
  lengths: readonly number[],
  extras: readonly (Extra | null)[] | null,
];

/** The jobs of some batches, whose payloads stand in `bodies` one after the other. */
export function claimedJobs(batches: readonly ClaimColumns[], bodies: string, now: number): ClaimedJob[] {
  const payloads = cut(
    bodies,
    batches.flatMap((batch) => batch[10]),
  );
  const jobs: ClaimedJob[] = [];
  for (const batch of batches) {
    for (let row = 0; row < batch[1].length; row += 1) {
      jobs.push(claimedJob(batch, row, payloads[jobs.length] as string, now));
    }
  }
  return jobs;
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

function claimedJob(batch: ClaimColumns, row: number, payload: string, now: number): ClaimedJob {
  const [first, ids, names, tenants, priorities, attempts, maxAttempts, costs, enqueuedAt, readyAt, , extras] = batch;
  const extra = extras?.[row] ?? undefined;
  const job: ClaimedJob = {
    id: ids[row] as string,
    name: names[row] as string,
    payload,
    tenant: tenants[row] as string,
    priority: priorities[row] as number,
    attempt: attempts[row] as number,
    maxAttempts: maxAttempts[row] as number,
    fence: first + row,
    cost: costs[row] as number,
    enqueuedAt: enqueuedAt[row] as number,
    waitMs: Math.max(0, now - (readyAt[row] as number)),
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
