import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';

/** A statement for so many rows at once: what a call of SQLite costs is then shared by them. */
export type ForMany = (rows: number) => string;

/** Rows of one statement: a call of 50 jobs takes three. Each size is prepared when it is first needed. */
const sizes = [64, 32, 16, 8, 4, 2, 1] as const;

/** Runs the statement for all rows, as many together as can be. */
export function runForMany(connection: Connection, forMany: ForMany, rows: readonly (readonly SqlValue[])[]): void {
  let from = 0;
  for (const size of sizes) {
    while (rows.length - from >= size) {
      connection.run(forMany(size), ...flatten(rows, from, from + size));
      from += size;
    }
  }
}

/** By hand: `flat()` takes as long as the binding. */
function flatten(rows: readonly (readonly SqlValue[])[], from: number, to: number): SqlValue[] {
  const values: SqlValue[] = [];
  for (let index = from; index < to; index += 1) for (const value of rows[index] ?? []) values.push(value);
  return values;
}

/** The list under this key, which is made when it is not there. */
export function listIn<Key, Value>(lists: Map<Key, Value[]>, key: Key): Value[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const made: Value[] = [];
  lists.set(key, made);
  return made;
}
