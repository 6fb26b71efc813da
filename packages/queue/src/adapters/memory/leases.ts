import type { JobPlace, JobRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { createHeap } from './heap.ts';
import { peekWhile } from './reading.ts';

/** The leases of one session. */
interface Holder extends JobPlace {
  readonly rows: Set<JobRow>;
  readonly cancelRequests: Set<JobRow>;
}

/** Leased jobs by session, and by the end of their own lease. */
export interface Leases extends Pick<Tables, 'visibleBefore' | 'leasedBy' | 'cancelRequestsOf'> {
  nextVisible(): number | undefined;
  add(row: JobRow): void;
}

/** Creates an empty {@link Leases}. */
export function createLeases(): Leases {
  const holders = new Map<string, Holder>();
  const visible = createHeap<JobRow, 'leaseSlot'>('leaseSlot', (a, b) => (a.visibleUntil ?? 0) < (b.visibleUntil ?? 0));

  function makeHolder(session: string): Holder {
    const rows = new Set<JobRow>();
    const cancelRequests = new Set<JobRow>();
    const remove = (row: JobRow): void => {
      rows.delete(row);
      cancelRequests.delete(row);
      visible.remove(row);
      if (rows.size === 0) holders.delete(session);
    };
    const made = { rows, cancelRequests, remove };
    holders.set(session, made);
    return made;
  }

  return {
    add: (row) => {
      const session = row.session ?? '';
      const holder = holders.get(session) ?? makeHolder(session);
      row.place = holder;
      holder.rows.add(row);
      if (row.cancelRequested) holder.cancelRequests.add(row);
      if (row.visibleUntil !== undefined) visible.put(row);
    },
    visibleBefore: (now, limit) => peekWhile(visible, limit, (row) => (row.visibleUntil ?? 0) <= now),
    nextVisible: () => visible.peek()?.visibleUntil,
    leasedBy: (session, limit, calls) => {
      const found: JobRow[] = [];
      for (const row of holders.get(session)?.rows ?? []) {
        if (found.length >= limit) break;
        if (calls === undefined || calls.includes(row.call)) found.push(row);
      }
      return found;
    },
    cancelRequestsOf: (session) => [...(holders.get(session)?.cancelRequests ?? [])],
  };
}
