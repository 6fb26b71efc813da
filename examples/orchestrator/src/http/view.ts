import type { z } from '@hono/zod-openapi';
import type { RunWithRepo } from '../runs/create.ts';
import type { runView } from './schemas.ts';

export type RunView = z.infer<typeof runView>;

/** A run as the API shows it. */
export function toRunView(run: RunWithRepo): RunView {
  const pushed = run.commit_sha !== null && isPushed(run);
  return {
    id: run.id,
    task: run.task_id,
    state: run.state,
    parkedReason: run.parked_reason,
    parkedUntil: run.parked_until?.toISOString() ?? null,
    repo: run.repo_url,
    ref: run.ref,
    agent: run.agent,
    priority: run.priority,
    attempt: run.attempt,
    branch: pushed ? run.branch : null,
    baseSha: run.base_sha,
    commitSha: run.commit_sha,
    diffStat:
      run.files_changed === null
        ? null
        : {
            filesChanged: run.files_changed,
            insertions: run.insertions ?? 0,
            deletions: run.deletions ?? 0,
          },
    pullRequest: run.pr_number === null ? null : { number: run.pr_number, url: run.pr_url },
    usage: {
      inputTokens: Number(run.input_tokens),
      outputTokens: Number(run.output_tokens),
      costMicroUsd: Number(run.cost_microusd),
    },
    session: run.session_id,
    exitCode: run.exit_code,
    error: run.error,
    followUpOf: run.follow_up?.of ?? null,
    retryOf: run.retry_of,
    cancelRequested: run.cancel_requested_at !== null,
    deadlineAt: run.deadline_at?.toISOString() ?? null,
    createdAt: run.created_at.toISOString(),
    startedAt: run.started_at?.toISOString() ?? null,
    finishedAt: run.finished_at?.toISOString() ?? null,
  };
}

/** Every state after `pushing` has its branch on the origin. */
function isPushed(run: RunWithRepo): boolean {
  return run.state === 'pr_open' || run.state === 'ci_waiting' || run.state === 'succeeded';
}
