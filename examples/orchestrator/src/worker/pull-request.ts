import { type Kysely, sql } from 'kysely';
import { beginWaiting } from '../ci/await-checks.ts';
import type { Database, PullRequestWish, RunRow } from '../db/schema.ts';
import type { Forge, PullRequest, PullRequestDraft } from '../forge/forge.ts';
import { baseOf } from '../runs/follow-up.ts';
import type { WorkerContext } from './context.ts';
import type { RunSession } from './session.ts';

/**
 * Opens the pull request that a run asked for. The forge looks it up by its branch first, so a worker that takes the
 * run over finds the one that is there. A run whose checks are reported waits for them without a worker.
 */
export async function openPullRequest(context: WorkerContext, session: RunSession): Promise<void> {
  const { run, repoUrl, log, signal } = session;
  const wanted = run.pull_request;
  const { commit_sha: sha } = run;
  if (!wanted || !sha) return await session.advance('succeeded');
  const forge = context.forges.of(repoUrl);
  const draft = draftOf(run, repoUrl, sha, wanted);
  const pullRequest = await forge.openPullRequest(draft, signal);
  const { number, url, forgeRepoId } = pullRequest;
  if (run.follow_up) await tellOfFollowUp(forge, run, draft, number, signal);
  await log.write('system', `Pull request ${number} is open${url ? `: ${url}` : ''}.`);
  await log.flush();
  const waits = wanted.waitForChecks && forge.reportsChecks && forgeRepoId !== null;
  await session.advance(waits ? 'ci_waiting' : 'succeeded', {
    set: { pr_number: number, pr_url: url },
    data: { number, url },
    async alongside(tx) {
      await rememberPullRequest(tx, forge, draft, pullRequest);
      if (waits) await beginWaiting(tx, { repoId: forgeRepoId, sha }, repoUrl);
    },
  });
}

function draftOf(run: RunRow, repoUrl: string, headSha: string, wanted: PullRequestWish): PullRequestDraft {
  const [subject = run.message] = run.message.split('\n');
  return {
    repoId: run.repo_id,
    repoUrl,
    head: run.branch,
    headSha,
    base: baseOf(run, wanted),
    title: wanted.title ?? subject,
    body: wanted.body ?? '',
  };
}

async function tellOfFollowUp(
  forge: Forge,
  { id, follow_up }: RunRow,
  { repoId, repoUrl, headSha }: PullRequestDraft,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const failing = follow_up?.failing.join(', ') || 'checks';
  const body = `Run ${id} pushed ${headSha} to mend: ${failing}.`;
  await forge.comment({ repoId, repoUrl, number, mark: id, body }, signal);
}

/** The repository's id at the forge is what its webhooks are joined by. */
async function rememberPullRequest(
  tx: Kysely<Database>,
  { name }: Forge,
  { repoId, head, headSha, base = 'HEAD', title, body }: PullRequestDraft,
  { number, url, forgeRepoId }: PullRequest,
): Promise<void> {
  await tx.updateTable('repos').set({ forge: name, forge_repo_id: forgeRepoId }).where('id', '=', repoId).execute();
  const news = { head_sha: headSha, base, title, body, url };
  await tx
    .insertInto('prs')
    .values({ repo_id: repoId, number, head, forge: name, ...news })
    .onConflict((conflict) =>
      conflict.columns(['repo_id', 'number']).doUpdateSet({ ...news, updated_at: sql<Date>`now()` }),
    )
    .execute();
}
