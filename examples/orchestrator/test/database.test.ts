import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@millrace/test-support';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from './support/database.ts';

test('a connection that is lost inside a transaction fails it, and neither the process nor the next one', async () => {
  await using database = await testDatabase();
  const { db } = database;
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);
  process.prependListener('uncaughtException', note);
  try {
    const lost = db.transaction().execute(async (tx) => {
      const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx);
      await sql`SELECT pg_terminate_backend(${rows[0]?.pid})`.execute(db);
      await waitFor(async () => {
        const { rows: left } = await sql`SELECT FROM pg_stat_activity WHERE pid = ${rows[0]?.pid}`.execute(db);
        return left.length === 0;
      });
      await sleep(50); // the news of it is on its way to this side
      await sql`SELECT 1`.execute(tx);
    });
    await expect(lost).rejects.toThrow();
    const { rows } = await sql<{ one: number }>`SELECT 1 AS one`.execute(db);
    expect(rows).toEqual([{ one: 1 }]);
    expect(uncaught).toEqual([]);
  } finally {
    process.removeListener('uncaughtException', note);
  }
});
