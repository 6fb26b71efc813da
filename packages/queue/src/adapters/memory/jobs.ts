import type { JobPlace, JobRow } from '../engine/job-row.ts';
import type { NextTimes, Tables } from '../engine/tables.ts';
import { createHeap, type Heap } from './heap.ts';
import { IdIndex } from './id-index.ts';
import { createLeases } from './leases.ts';
import { Line } from './line.ts';
import { peekWhile } from './reading.ts';

type JobTables = Pick<
  Tables,
  | 'expectJobs'
  | 'expectAcks'
  | 'expectClaims'
  | 'job'
  | 'leased'
  | 'insertJob'
  | 'saveJob'
  | 'saveContent'
  | 'removeJob'
  | 'changePriority'
  | 'delayedBefore'
  | 'visibleBefore'
  | 'leasedBy'
  | 'cancelRequestsOf'
  | 'oldestFinished'
  | 'keptBefore'
> & {
  readonly all: IdIndex;
  readonly next: () => Pick<NextTimes, 'delayed' | 'visible' | 'kept'>;
};

/** A heap of jobs by a time. */
function timeHeap(time: (row: JobRow) => number | undefined): Heap<JobRow> {
  return createHeap<JobRow, 'slot'>('slot', (a, b) => (time(a) ?? 0) < (time(b) ?? 0));
}

/** A delayed job without a time waits for another job: it is in no order. */
const nowhere: JobPlace = { remove: () => undefined };

/**
 * Jobs, and one structure for each order in which they are read.
 *
 * @param fileReady - puts a ready job into its line; one that is new goes to its end
 */
export function createJobTables(fileReady: (row: JobRow, isNew: boolean) => void): JobTables {
  const jobs = new IdIndex(Math.random() * 2 ** 32);
  const delayed = timeHeap((row) => row.readyAt);
  const kept = timeHeap((row) => row.extra.keepUntil);
  const leases = createLeases();
  const finished = { succeeded: new Line(), dead: new Line(), cancelled: new Line() };

  function file(row: JobRow, before: JobRow['state'] | undefined): void {
    if (row.state === 'ready') fileReady(row, before === undefined);
    else if (row.state === 'leased') leases.add(row);
    else if (row.state === 'delayed') fileDelayed(row);
    else if (row.extra.keepUntil !== undefined) {
      row.place = kept;
      kept.put(row);
    } else {
      row.place = finished[row.state];
      finished[row.state].push(row);
    }
  }

  function fileDelayed(row: JobRow): void {
    row.place = row.readyAt === undefined ? nowhere : delayed;
    if (row.readyAt !== undefined) delayed.put(row);
  }

  return {
    all: jobs,
    next: () => ({
      delayed: delayed.peek()?.readyAt,
      visible: leases.nextVisible(),
      kept: kept.peek()?.extra.keepUntil,
    }),
    job: (id) => jobs.get(id),
    insertJob: (row) => {
      jobs.add(row);
      file(row, undefined);
    },
    saveJob: (row, before) => {
      if (before === 'ready' && row.state === 'ready' && row.place !== undefined) return;
      row.place?.remove(row);
      file(row, before);
    },
    // In memory a row is what it is at once, and looking one up costs nothing that could be shared.
    expectJobs: () => undefined,
    expectAcks: () => undefined,
    expectClaims: () => undefined,
    saveContent: () => undefined,
    removeJob: (row) => {
      row.place?.remove(row);
      jobs.delete(row);
    },
    changePriority: (row, priority) => {
      row.place?.remove(row);
      row.place = undefined;
      row.priority = priority;
    },
    delayedBefore: (now, limit) => peekWhile(delayed, limit, (row) => (row.readyAt ?? 0) <= now),
    leased: leases.leased,
    visibleBefore: leases.visibleBefore,
    leasedBy: leases.leasedBy,
    cancelRequestsOf: leases.cancelRequestsOf,
    oldestFinished: (state) => finished[state].first,
    keptBefore: (now, limit) => peekWhile(kept, limit, (row) => (row.extra.keepUntil ?? 0) <= now),
  };
}
