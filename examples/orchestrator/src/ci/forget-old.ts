import { type Kysely, sql } from 'kysely';
import type { CiDatabase } from './tables.ts';

/** Rows that are deleted in one round. */
const batch = 1000;

/**
 * Forgets deliveries that were processed, and checks of commits that nobody waits for, once they are older than `after`
 * milliseconds. A delivery that is sent again later than that is taken for a new one, which changes nothing: what it
 * says is older than what is known, or about a commit that nobody waits for.
 *
 * @returns how many rows went
 */
export async function forgetOldNews(db: Kysely<CiDatabase>, after: number): Promise<number> {
  return (await forgetDeliveries(db, after)) + (await forgetChecks(db, after));
}

async function forgetDeliveries(db: Kysely<CiDatabase>, after: number): Promise<number> {
  const old = db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('received_at', '<', before(after))
    .where('state', '<>', 'pending')
    .orderBy('received_at')
    .limit(batch);
  const gone = await db.deleteFrom('webhook_deliveries').where('id', 'in', old).executeTakeFirst();
  return Number(gone.numDeletedRows);
}

/** The rollup goes with its checks, so that none of them counts alone later. */
async function forgetChecks(db: Kysely<CiDatabase>, after: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    WITH old AS (
      SELECT repo_id, sha FROM ci_rollups r
      WHERE updated_at < ${before(after)}
        AND NOT EXISTS (SELECT FROM poll_targets t WHERE t.repo_id = r.repo_id AND t.sha = r.sha)
      ORDER BY updated_at LIMIT ${batch} FOR UPDATE OF r SKIP LOCKED
    ), checks AS (
      DELETE FROM ci_checks c USING old WHERE c.repo_id = old.repo_id AND c.sha = old.sha
    ), rollups AS (
      DELETE FROM ci_rollups r USING old WHERE r.repo_id = old.repo_id AND r.sha = old.sha RETURNING 1
    )
    SELECT count(*)::int AS count FROM rollups
  `.execute(db);
  return rows[0]?.count ?? 0;
}

function before(after: number) {
  return sql<Date>`now() - make_interval(secs => ${after / 1000})`;
}
