import { createHeap } from './heap.ts';
import { peekWhile } from './reading.ts';

/** Rows by key, some of which have a time at which something is to be done. */
export interface TimedRows<Row> {
  get(key: string): Row | undefined;
  set(key: string, row: Row): void;
  delete(key: string): boolean;
  rows(): Row[];
  /** The earliest time. */
  next(): number | undefined;
  /** Rows whose time has come, earliest first, at most `limit`. */
  due(now: number, limit: number): Row[];
}

interface Entry<Row> {
  row: Row;
  time: number | undefined;
  slot: number;
}

/** Creates an empty {@link TimedRows}. */
export function createTimedRows<Row>(timeOf: (row: Row) => number | undefined): TimedRows<Row> {
  const entries = new Map<string, Entry<Row>>();
  const order = createHeap<Entry<Row>, 'slot'>('slot', (a, b) => (a.time ?? 0) < (b.time ?? 0));

  return {
    get: (key) => entries.get(key)?.row,
    set: (key, row) => {
      const entry = entries.get(key) ?? { row, time: undefined, slot: -1 };
      entries.set(key, entry);
      entry.row = row;
      entry.time = timeOf(row);
      if (entry.time === undefined) order.remove(entry);
      else order.put(entry);
    },
    delete: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return false;
      order.remove(entry);
      return entries.delete(key);
    },
    rows: () => [...entries.values()].map(({ row }) => row),
    next: () => order.peek()?.time,
    due: (now, limit) => peekWhile(order, limit, ({ time = 0 }) => time <= now).map(({ row }) => row),
  };
}
