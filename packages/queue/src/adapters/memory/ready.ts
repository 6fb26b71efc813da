import type { JobPlace, JobRow } from '../engine/rows.ts';
import { rankOf } from '../engine/tables.ts';
import { createHeap, type Heap } from './heap.ts';
import { createLine, type Line } from './line.ts';

/** The ready jobs of one tenant. */
export interface ReadyJobs {
  head(): JobRow | undefined;
  add(row: JobRow): void;
  /** A job whose lease was given back takes its old place. */
  putBack(row: JobRow): void;
  reorder(): void;
}

/** A line per priority, in a heap by the rank of its first job. */
interface PriorityLine extends JobPlace {
  readonly priority: number;
  readonly line: Line<JobRow>;
  slot: number;
  rank: number;
}

const earlier = (a: JobRow, b: JobRow): boolean =>
  a.readyAt === b.readyAt ? a.seq < b.seq : (a.readyAt ?? 0) < (b.readyAt ?? 0);

/** @param aging - the queue's setting, read at each use */
export function createReadyJobs(aging: () => number): ReadyJobs {
  const lines = new Map<number, PriorityLine>();
  const order: Heap<PriorityLine> = createHeap<PriorityLine, 'slot'>('slot', (a, b) => a.rank < b.rank);

  function lineOf(priority: number): PriorityLine {
    const known = lines.get(priority);
    if (known !== undefined) return known;
    const line = createLine<JobRow>();
    const made: PriorityLine = {
      priority,
      line,
      slot: -1,
      rank: 0,
      remove: (row) => {
        line.remove(row);
        settle(made);
      },
    };
    lines.set(priority, made);
    return made;
  }

  /** The first job of the line may be another one now. */
  function settle(entry: PriorityLine): void {
    const first = entry.line.first();
    if (first === undefined) {
      order.remove(entry);
      // A tenant keeps few empty lines, and a thousand priorities in turn do not make and drop one per job.
      if (lines.size > 64) lines.delete(entry.priority);
      return;
    }
    const rank = rankOf(first.readyAt ?? 0, entry.priority, aging());
    if (entry.slot >= 0 && entry.rank === rank) return;
    entry.rank = rank;
    order.put(entry);
  }

  return {
    head: () => order.peek()?.line.first(),
    add: (row) => {
      const entry = lineOf(row.priority);
      row.place = entry;
      entry.line.push(row);
      if (entry.line.size === 1) settle(entry);
    },
    putBack: (row) => {
      const entry = lineOf(row.priority);
      row.place = entry;
      entry.line.putBack(row, earlier);
      settle(entry);
    },
    reorder: () => {
      for (const entry of lines.values()) settle(entry);
    },
  };
}
