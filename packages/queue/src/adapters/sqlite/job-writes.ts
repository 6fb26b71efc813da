import type { JobRow } from '../engine/job-row.ts';
import type { LineRow } from '../engine/rows.ts';
import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';
import { insertedValues } from './job-values.ts';
import { runForMany } from './many.ts';
import { queuesPerFile } from './schema.ts';
import { hot, insertJobs } from './statements.ts';

/** What a call does to many jobs, kept until it is flushed, then written in few statements. Whoever reads jobs from the file flushes first. */
export interface JobWrites {
  insert(row: JobRow): void;
  /** The row waits for its INSERT, which will write it as it is then. */
  isNew(row: JobRow): boolean;
  lease(row: JobRow): void;
  remove(row: JobRow): void;
  /** Whether the ready jobs of this line are not in the file as they are. */
  concern(line: LineRow): boolean;
  flush(): void;
  /** Forgets everything: the call has failed, and its transaction was rolled back. */
  drop(): void;
}

/** Creates an empty {@link JobWrites}. */
export function createJobWrites(connection: Connection, queue: number): JobWrites {
  const inserted = new Set<JobRow>();
  let leased: JobRow[] = [];
  let removed: number[] = [];

  const rowId = (row: JobRow): number => row.seq * queuesPerFile + queue;

  function flushInserted(): void {
    const rows: SqlValue[][] = [];
    for (const row of inserted) rows.push(insertedValues(row, rowId(row), queue));
    inserted.clear();
    runForMany(connection, insertJobs, rows);
  }

  function flushLeased(): void {
    const [first] = leased;
    if (first === undefined) return;
    const { session = null, call = 0, claimedAt = 0 } = first.lease ?? {};
    connection.run(hot.leaseJobs, session, call, claimedAt, first.fence, JSON.stringify(leased.map(rowId)));
    for (const row of leased) {
      const { visibleUntil } = row.extra;
      if (visibleUntil !== undefined) connection.run(hot.setVisible, visibleUntil, rowId(row));
    }
    leased = [];
  }

  function flushRemoved(): void {
    if (removed.length > 0) connection.run(hot.removeJobs, JSON.stringify(removed));
    removed = [];
  }

  return {
    insert: (row) => void inserted.add(row),
    isNew: (row) => inserted.has(row),
    lease: (row) => {
      const last = leased.at(-1);
      // One statement gives consecutive fences.
      if (last !== undefined && row.fence !== last.fence + 1) flushLeased();
      leased.push(row);
    },
    remove: (row) => {
      if (!inserted.delete(row)) removed.push(rowId(row));
    },
    concern: ({ tenant, priority }) =>
      inserted.size > 0 ||
      removed.length > 0 ||
      leased.some((row) => row.priority === priority && row.tenant === tenant.name),
    flush: () => {
      flushRemoved();
      if (inserted.size > 0) flushInserted();
      flushLeased();
    },
    drop: () => {
      inserted.clear();
      leased = [];
      removed = [];
    },
  };
}
