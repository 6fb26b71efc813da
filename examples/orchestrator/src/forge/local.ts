import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { Forge } from './forge.ts';

/** The forge of the embedded default: any git repository, with its pull requests in our own table. */
export function localForge(db: Kysely<Database>): Forge {
  return {
    name: 'local',
    reportsChecks: false,
    async openPullRequest({ repoId, head, headSha, base = 'HEAD', title, body }) {
      const number = await db.transaction().execute(async (tx) => {
        await sql`SELECT pg_advisory_xact_lock(hashtext(${`millrace prs ${repoId}`}))`.execute(tx);
        const row = await tx
          .insertInto('prs')
          .values((eb) => ({
            repo_id: repoId,
            number: eb
              .selectFrom('prs')
              .where('repo_id', '=', repoId)
              .select(sql<number>`coalesce(max(number), 0) + 1`.as('next')),
            head,
            base,
            head_sha: headSha,
            title,
            body,
          }))
          .onConflict((conflict) =>
            conflict
              .columns(['repo_id', 'head'])
              .doUpdateSet({ head_sha: headSha, base, title, body, updated_at: sql<Date>`now()` }),
          )
          .returning('number')
          .executeTakeFirstOrThrow();
        return row.number;
      });
      return { number, url: null, forgeRepoId: null };
    },
    async comment({ repoId, number, mark, body }) {
      await db
        .updateTable('prs')
        .set({ comments: sql<string>`comments || jsonb_build_object(${mark}::text, ${body}::text)` })
        .where('repo_id', '=', repoId)
        .where('number', '=', number)
        .execute();
    },
    readChecks: async () => [],
  };
}
