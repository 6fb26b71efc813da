import type { JobPlace, JobRow } from '../engine/job-row.ts';
import type { Tables } from '../engine/tables.ts';
import { createHeap } from './heap.ts';
import { peekWhile } from './reading.ts';

/** The leases of one session. */
interface Holder extends JobPlace {
  /** By fence. */
  readonly rows: Map<number, JobRow>;
  readonly cancelRequests: Set<JobRow>;
}

/** Leased jobs by session, and by the end of their own lease. */
export interface Leases extends Pick<Tables, 'leased' | 'visibleBefore' | 'leasedBy' | 'cancelRequestsOf'> {
  nextVisible(): number | undefined;
  add(row: JobRow): void;
}

const endOf = ({ extra }: JobRow): number => extra.visibleUntil ?? 0;

/** Creates an empty {@link Leases}. */
export function createLeases(): Leases {
  const holders = new Map<string, Holder>();
  const visible = createHeap<JobRow, 'slot'>('slot', (a, b) => endOf(a) < endOf(b));

  function makeHolder(session: string): Holder {
    const rows = new Map<number, JobRow>();
    const cancelRequests = new Set<JobRow>();
    const remove = (row: JobRow): void => {
      rows.delete(row.fence);
      if (cancelRequests.size > 0) cancelRequests.delete(row);
      visible.remove(row);
      if (rows.size === 0) holders.delete(session);
    };
    const made = { rows, cancelRequests, remove };
    holders.set(session, made);
    return made;
  }

  return {
    add: (row) => {
      const session = row.lease?.session ?? '';
      const holder = holders.get(session) ?? makeHolder(session);
      row.place = holder;
      holder.rows.set(row.fence, row);
      if (row.extra.cancelRequested) holder.cancelRequests.add(row);
      if (row.extra.visibleUntil !== undefined) visible.put(row);
    },
    leased: (session, id, fence) => {
      const rows = holders.get(session)?.rows;
      const row = rows?.get(fence);
      return row?.id === id ? row : undefined;
    },
    visibleBefore: (now, limit) => peekWhile(visible, limit, (row) => endOf(row) <= now),
    nextVisible: () => visible.peek()?.extra.visibleUntil,
    leasedBy: (session, limit, calls) => {
      const found: JobRow[] = [];
      for (const row of holders.get(session)?.rows.values() ?? []) {
        if (found.length >= limit) break;
        if (calls === undefined || calls.includes(row.lease?.call ?? 0)) found.push(row);
      }
      return found;
    },
    cancelRequestsOf: (session) => [...(holders.get(session)?.cancelRequests ?? [])],
  };
}
