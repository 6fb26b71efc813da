import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenDatabase, openDatabase } from '../src/db/open.ts';
import type { SubmissionKey } from '../src/http/submissions.ts';
import { newId } from '../src/ids.ts';
import { createRun } from '../src/runs/create.ts';
import { openSubmissions } from '../src/runs/submissions.ts';
import { takeRun } from '../src/runs/take.ts';
import { someRun, testDatabase } from './support/database.ts';

let server: Awaited<ReturnType<typeof testDatabase>>;
/** One connection, so that a statement is prepared once and meets what happened since. */
let database: OpenDatabase;
beforeAll(async () => {
  server = await testDatabase();
  database = await openDatabase(server.url, 1, () => {});
});
afterAll(async () => {
  await database.close();
  await server.close();
});

test('statements prepared before a migration go on after it has added a column', async () => {
  const { db } = database;
  const make = async (): Promise<void> => {
    const { id } = await createRun(db, someRun);
    expect(await takeRun(db, { runId: id, dispatch: 1, fence: 1, workerId: 'w' })).toMatchObject({ state: 'admitted' });
  };
  await make();
  const { rows } = await sql<{ name: string }>`SELECT name FROM pg_prepared_statements`.execute(db);
  expect(rows.length).toBeGreaterThan(0);
  await sql`ALTER TABLE runs ADD COLUMN added text`.execute(db);
  await make();
});

test('a run that cannot be stored is told why, and leaves its key free', async () => {
  const submissions = await openSubmissions(database, {});
  const key: SubmissionKey = { tenantId: 'default', operation: 'runs.create', key: 'k', input: 1, replay: false };
  const submit = (taskId?: string) =>
    submissions.submit(key, async (tx) => {
      const id = newId();
      return { value: { runId: id }, stored: createRun(tx, { ...someRun, id, ...(taskId && { taskId }) }) };
    });
  await expect(submit(newId())).rejects.toMatchObject({ code: '23503' });
  const { value, replayed } = await submit();
  expect(replayed).toBe(false);
  expect(await database.db.selectFrom('runs').select('id').where('id', '=', value.runId).execute()).toHaveLength(1);
  await submissions.close();
});
