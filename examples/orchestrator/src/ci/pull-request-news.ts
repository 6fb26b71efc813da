import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { applyMove } from '../runs/transition.ts';
import type { RepositoryNews } from './repository-news.ts';

type PullRequestNews = Exclude<RepositoryNews, { readonly kind: 'pushed' }>;

/**
 * Notes what somebody did with a pull request. A run that waits for checks waits no longer when it is closed: merged, it
 * has what it was for; refused, there is nothing to wait for.
 *
 * @returns ids of runs that ended
 */
export async function applyPullRequestNews(tx: Kysely<Database>, news: PullRequestNews): Promise<string[]> {
  const state = news.kind === 'reopened' ? 'open' : news.merged ? 'merged' : 'closed';
  const rows = await tx
    .updateTable('prs')
    .from('repos')
    .set({ state, updated_at: sql<Date>`now()` })
    .whereRef('repos.id', '=', 'prs.repo_id')
    .where('repos.forge_repo_id', '=', `${news.repoId}`)
    .where('prs.number', '=', news.number)
    .returning('prs.repo_id')
    .execute();
  if (news.kind === 'reopened' || rows.length === 0) return [];
  const waiting = await tx
    .selectFrom('runs')
    .select('id')
    .where('state', '=', 'ci_waiting')
    .where('pr_number', '=', news.number)
    .where(
      'repo_id',
      'in',
      rows.map((row) => row.repo_id),
    )
    .execute();
  const ended: string[] = [];
  for (const { id } of waiting) if (await end(tx, id, news.merged)) ended.push(id);
  return ended;
}

async function end(tx: Kysely<Database>, runId: string, merged: boolean): Promise<boolean> {
  if (merged) {
    return (await applyMove(tx, runId, { from: 'ci_waiting', to: 'succeeded', data: { merged } })) !== undefined;
  }
  const problem = {
    code: 'ERR_PULL_REQUEST_CLOSED',
    message: 'The pull request was closed before its checks were done.',
    class: 'fatal',
  };
  const set = { error: JSON.stringify(problem) };
  return (await applyMove(tx, runId, { from: 'ci_waiting', to: 'failed', set, data: problem })) !== undefined;
}
