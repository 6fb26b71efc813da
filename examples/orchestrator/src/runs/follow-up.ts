import type { Kysely } from 'kysely';
import { agentOf } from '../agents/registry.ts';
import type { AgentSpec, Database, PullRequestWish } from '../db/schema.ts';
import { createRun, type RunWithRepo } from './create.ts';

/** The branch that a run's pull request goes into, as far as the run says it; a commit is no branch. */
export function baseOf(run: Pick<RunWithRepo, 'ref'>, wish: PullRequestWish): string | undefined {
  return wish.base ?? (run.ref === 'HEAD' || /^[0-9a-f]{40}$/.test(run.ref) ? undefined : run.ref);
}

/**
 * Stores the run that is to mend what the checks found, if the failed one asked for that and has attempts left. It works
 * on the same branch, so that its push brings the same pull request up to date. Call it in the transaction that ends
 * the failed run.
 *
 * @returns its id
 */
export async function createFollowUp(
  tx: Kysely<Database>,
  failed: RunWithRepo,
  failing: readonly string[],
): Promise<string | undefined> {
  const wish = failed.pull_request;
  const { attempts = 0, agent } = wish?.followUp ?? {};
  if (!wish || attempts < 1 || !failed.commit_sha) return undefined;
  const base = baseOf(failed, wish);
  const next = await createRun(tx, {
    tenantId: failed.tenant_id,
    repo: failed.repo_url,
    ref: failed.commit_sha,
    agent: agent ?? nextSpec(failed.agent, failing, await keptSession(tx, failed)),
    message: failed.message,
    priority: failed.priority,
    timeout: Number(failed.timeout_ms),
    branch: failed.branch,
    followUp: { of: failed.id, failing },
    pullRequest: {
      ...wish,
      ...(base !== undefined && { base }),
      followUp: { attempts: attempts - 1, ...(agent && { agent }) },
    },
    ...(failed.task_id !== null && { taskId: failed.task_id }),
    ...(failed.budget_microusd !== null && { budgetMicroUsd: Number(failed.budget_microusd) }),
    ...(failed.traceparent !== null && { traceparent: failed.traceparent }),
  });
  return next.id;
}

/** The session of the failed run, where its worker kept it. */
async function keptSession(tx: Kysely<Database>, { id, session_id }: RunWithRepo): Promise<string | undefined> {
  if (session_id === null) return undefined;
  const kept = tx.selectFrom('artifacts').select('kind').where('run_id', '=', id).where('kind', '=', 'session');
  return (await kept.executeTakeFirst()) && session_id;
}

/**
 * An agent that works from a prompt is told what failed, and goes on from what it remembers; a command finds it in
 * MILLRACE_FAILED_CHECKS.
 */
function nextSpec(spec: AgentSpec, failing: readonly string[], session: string | undefined): AgentSpec {
  if (!agentOf(spec).provider) return spec;
  const checks = failing.length > 0 ? failing.map((name) => `- ${name}`).join('\n') : '- (unnamed)';
  const prompt = `These checks failed on the branch:\n${checks}\n\nFind out why and mend it. The task was:\n\n${String(spec.prompt)}`;
  const { session: _, ...rest } = spec;
  return { ...rest, type: spec.type, prompt, ...(session !== undefined && { session }) };
}
