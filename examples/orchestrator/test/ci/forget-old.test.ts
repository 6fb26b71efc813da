import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forgetOldNews } from '../../src/ci/forget-old.ts';
import { type CiTestDatabase, ciTestDatabase } from './database.ts';

const day = 86_400_000;
let database: CiTestDatabase;
beforeAll(async () => {
  database = await ciTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

async function names(table: 'webhook_deliveries' | 'ci_rollups' | 'ci_checks', column: string): Promise<unknown[]> {
  const rows = await sql<{
    name: string;
  }>`SELECT ${sql.ref(column)} AS name FROM ${sql.table(table)} ORDER BY 1`.execute(database.db);
  return rows.rows.map(({ name }) => name);
}

test('old deliveries and the checks of old commits go, in bounded batches; what is still needed stays', async () => {
  const { db } = database;
  await sql`
    INSERT INTO webhook_deliveries (id, event, body, state, received_at) VALUES
      ('new', 'push', '', 'done', now()),
      ('pending', 'push', '', 'pending', now() - interval '40 days'),
      ('failed', 'push', '', 'failed', now() - interval '40 days')
  `.execute(db);
  await sql`
    INSERT INTO webhook_deliveries (id, event, body, state, received_at)
      SELECT 'old' || n, 'push', '', 'done', now() - interval '40 days' - n * interval '1 second' FROM generate_series(1, 1500) n
  `.execute(db);
  await sql`
    INSERT INTO ci_rollups (repo_id, sha, state, updated_at) VALUES
      (1, 'new', 'success', now()), (1, 'old', 'success', now() - interval '40 days'), (1, 'awaited', 'pending', now() - interval '40 days')
  `.execute(db);
  for (const sha of ['new', 'old', 'awaited']) {
    await sql`INSERT INTO ci_checks (repo_id, sha, source, key, name, object_id, attempt, status, status_rank, conclusion, observed_at)
      VALUES (1, ${sha}, 'check_run', 'k', 'n', 1, 1, 'completed', 2, 'success', 1)`.execute(db);
  }
  await sql`INSERT INTO poll_targets (repo_id, sha, repo_url, reason, next_at) VALUES (1, 'awaited', 'u', 'silence', now())`.execute(
    db,
  );

  expect(await forgetOldNews(db, 30 * day)).toBe(1001);
  expect(await forgetOldNews(db, 30 * day)).toBe(501);
  expect(await forgetOldNews(db, 30 * day)).toBe(0);
  expect(await names('webhook_deliveries', 'id')).toEqual(['new', 'pending']);
  expect(await names('ci_rollups', 'sha')).toEqual(['awaited', 'new']);
  expect(await names('ci_checks', 'sha')).toEqual(['awaited', 'new']);
});
