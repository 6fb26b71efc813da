import type { ErrorGroup, JobFilter } from '../../contract/index.ts';
import type { JobRow } from '../engine/job-row.ts';
import type { TenantRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import type { IdIndex } from './id-index.ts';
import { earlier } from './lines.ts';
import { firstOf } from './reading.ts';

type PeopleTables = Pick<
  Tables,
  'findJobs' | 'countJobs' | 'tenantsAfter' | 'readyPerPriority' | 'aheadOf' | 'errorGroups' | 'oldestReadyAt'
>;

function matches(row: JobRow, filter: JobFilter): boolean {
  return (
    (filter.state === undefined || row.state === filter.state) &&
    (filter.name === undefined || row.name === filter.name) &&
    (filter.tenant === undefined || row.tenant === filter.tenant) &&
    (filter.fingerprint === undefined || row.extra.failures.at(-1)?.fingerprint === filter.fingerprint) &&
    (filter.enqueuedBefore === undefined || row.enqueuedAt < filter.enqueuedBefore)
  );
}

/** The first `limit` in the order of enqueueing, of rows that come in no order. */
function oldest(rows: Iterable<JobRow>, limit = Number.POSITIVE_INFINITY): JobRow[] {
  let found: JobRow[] = [];
  let last = Number.POSITIVE_INFINITY;
  const cut = (): void => {
    found = found.sort((a, b) => a.seq - b.seq).slice(0, limit);
    if (found.length === limit) last = found.at(-1)?.seq ?? last;
  };
  for (const row of rows) {
    if (row.seq > last) continue;
    found.push(row);
    if (found.length >= 2 * limit) cut();
  }
  cut();
  return found;
}

/** Reads for people: they walk over all jobs, which one process can afford when somebody asks. */
export function createPeopleTables(jobs: IdIndex, tenants: ReadonlyMap<string, TenantRow>): PeopleTables {
  function* where(wanted: (row: JobRow) => boolean): Generator<JobRow> {
    for (const row of jobs.values()) if (wanted(row)) yield row;
  }

  return {
    findJobs: (filter, after, limit) =>
      oldest(
        where((row) => row.seq > after && matches(row, filter)),
        limit,
      ),
    countJobs: (filter) => [...where((row) => matches(row, filter))].length,
    tenantsAfter: (name, limit) => {
      const names = [...tenants.keys()].filter((other) => name === undefined || other > name).sort();
      return names.slice(0, limit).flatMap((other) => tenants.get(other) ?? []);
    },
    readyPerPriority: () => {
      const sums = new Map<number, number>();
      for (const row of where((job) => job.state === 'ready'))
        sums.set(row.priority, (sums.get(row.priority) ?? 0) + 1);
      return [...sums].sort(([a], [b]) => b - a).map(([priority, ready]) => ({ priority, ready }));
    },
    aheadOf: (row, limit) => {
      const isAhead = (other: JobRow): boolean =>
        other.state === 'ready' &&
        other.tenant === row.tenant &&
        (other.priority > row.priority || (other.priority === row.priority && earlier(other, row)));
      return firstOf(where(isAhead), limit).length;
    },
    errorGroups: (limit) => groupErrors(oldest(where((row) => row.state === 'dead'))).slice(0, limit),
    oldestReadyAt: () => {
      let oldest: number | undefined;
      for (const { readyAt = 0 } of where((row) => row.state === 'ready'))
        oldest = Math.min(oldest ?? readyAt, readyAt);
      return oldest;
    },
  };
}

function groupErrors(dead: Iterable<JobRow>): ErrorGroup[] {
  const groups = new Map<string, ErrorGroup>();
  for (const row of dead) {
    const failure = row.extra.failures.at(-1);
    if (failure === undefined) continue;
    const { fingerprint, message, code, at } = failure;
    const known = groups.get(fingerprint);
    const newest = known === undefined || at >= known.newestAt;
    const sample = newest ? { message, code, newestAt: at, sampleId: row.id } : known;
    groups.set(fingerprint, { ...sample, fingerprint, count: (known?.count ?? 0) + 1 });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}
