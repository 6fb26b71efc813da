import type { Kysely, Selectable } from 'kysely';
import type { Database, ReposTable } from '../db/schema.ts';
import { newId } from '../ids.ts';

export type RepoRow = Selectable<ReposTable>;

/** The id of a tenant's repository. The no-op update makes the statement return the row that is already there. */
export async function ensureRepo(tx: Kysely<Database>, tenantId: string, url: string): Promise<string> {
  const existing = await tx
    .selectFrom('repos')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('url', '=', url)
    .executeTakeFirst();
  if (existing) return existing.id;
  const made = await tx
    .insertInto('repos')
    .values({ id: newId(), tenant_id: tenantId, url })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'url']).doUpdateSet({ url }))
    .returning('id')
    .executeTakeFirstOrThrow();
  return made.id;
}

export async function getRepo(db: Kysely<Database>, tenantId: string, id: string): Promise<RepoRow | undefined> {
  return await db
    .selectFrom('repos')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** A tenant's repositories after one of them, in the order in which they were first used. */
export async function listRepos(
  db: Kysely<Database>,
  tenantId: string,
  after: string | undefined,
  limit: number,
): Promise<RepoRow[]> {
  let query = db.selectFrom('repos').selectAll().where('tenant_id', '=', tenantId);
  if (after !== undefined) query = query.where('id', '>', after);
  return await query.orderBy('id').limit(limit).execute();
}
