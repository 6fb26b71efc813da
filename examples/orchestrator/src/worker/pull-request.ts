import type { WorkerContext } from './context.ts';
import type { RunSession } from './session.ts';

/**
 * Opens the pull request that a run asked for. The forge looks it up by its branch first, so a worker that takes the
 * run over finds the one that is there. A run whose checks are reported waits for them without a worker.
 */
export async function openPullRequest(context: WorkerContext, session: RunSession): Promise<void> {
  const { run, repoUrl, log, signal } = session;
  const wanted = run.pull_request;
  if (!wanted || !run.commit_sha) return await session.advance('succeeded');
  const [subject = run.message] = run.message.split('\n');
  const draft = {
    repoId: run.repo_id,
    repoUrl,
    head: run.branch,
    headSha: run.commit_sha,
    base: wanted.base ?? (run.ref === 'HEAD' ? undefined : run.ref),
    title: wanted.title ?? subject,
    body: wanted.body ?? '',
  };
  const { number, url } = await context.forge.openPullRequest(draft, signal);
  await log.write('system', `Pull request ${number} is open${url ? `: ${url}` : ''}.`);
  const set = { pr_number: number, pr_url: url };
  await log.flush();
  const next = wanted.waitForChecks && context.forge.reportsChecks ? 'ci_waiting' : 'succeeded';
  await session.advance(next, { set, data: { number, url } });
}
