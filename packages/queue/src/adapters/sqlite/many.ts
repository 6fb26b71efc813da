import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';

/** A statement for one row, and the same for several at once: what a call of SQLite costs is then shared by them. */
export interface ForMany {
  readonly one: string;
  readonly many: string;
  /** Rows that `many` takes. */
  readonly atOnce: number;
}

/** Runs the statement for all rows, most of them together. */
export function runForMany(connection: Connection, { one, many, atOnce }: ForMany, rows: readonly SqlValue[][]): void {
  let from = 0;
  for (; from + atOnce <= rows.length; from += atOnce) connection.run(many, ...rows.slice(from, from + atOnce).flat());
  for (const row of rows.slice(from)) connection.run(one, ...row);
}
