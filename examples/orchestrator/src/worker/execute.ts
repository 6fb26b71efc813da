import type { Workspace } from '@millrace/workspace';
import type { RunRow } from '../db/schema.ts';
import { RunFailure } from '../runs/errors.ts';
import { takeRun } from '../runs/take.ts';
import type { Hold } from '../runs/transition.ts';
import { collect } from './collect.ts';
import type { WorkerContext } from './context.ts';
import { settleFailure } from './failure.ts';
import { openPullRequest } from './pull-request.ts';
import { push, restoreCommit } from './push.ts';
import { runAgent } from './run-agent.ts';
import { openSession, type RunSession } from './session.ts';

/**
 * Carries a run from its recovery point to its end, for one delivery of the queue. Returns when nothing is left to do
 * for this delivery; throws when the queue should deliver again later.
 */
export async function executeRun(context: WorkerContext, hold: Hold, delivery: AbortSignal): Promise<void> {
  const taken = await takeRun(context.db, hold);
  if (!taken) return;
  const watch = context.cancellations.watch(hold.runId);
  const signal = AbortSignal.any([delivery, watch.signal]);
  const session = await openSession(context, hold, taken, signal);
  try {
    await perform(context, session);
  } catch (error) {
    await settleFailure(context, session, error);
  } finally {
    watch.release();
  }
}

async function perform(context: WorkerContext, session: RunSession): Promise<void> {
  const { run } = session;
  if (run.attempt > context.config.runMaxAttempts) {
    const message = `The run was begun ${run.attempt - 1} times and never ended; submit it again once the cause is known.`;
    throw new RunFailure('ERR_RUN_ATTEMPTS', message, { class: 'retryable' });
  }
  if (run.attempt > 1) await session.log.write('system', `Attempt ${run.attempt}, on worker ${session.hold.workerId}.`);
  if (run.state === 'admitted' || run.state === 'pushing') await makeAndPush(context, session);
  if (session.run.state === 'pr_open') await openPullRequest(context, session);
}

/** Everything that needs a workspace. */
async function makeAndPush(context: WorkerContext, session: RunSession): Promise<void> {
  if (session.run.state === 'admitted') await session.advance('preparing');
  await using workspace = await checkout(context, session);
  if (session.run.state === 'preparing') {
    await session.advance('running', { set: { base_sha: workspace.base, started_at: new Date() } });
    await runAgent(context, session, workspace);
    await session.advance('collecting');
    if (!(await collect(context, session, workspace))) return;
  } else {
    await restoreCommit(context, session, workspace);
  }
  await push(session, workspace);
}

/**
 * Milliseconds that the run was old at its latest step, by the database's clock alone: it needs no other one to agree.
 * What is below a millisecond is lost from both times.
 */
function ageOf({ created_at, updated_at }: RunRow): number {
  return Math.max(0, updated_at.getTime() - created_at.getTime() - 1);
}

/** A run that was begun before goes on from the very commit it began from, wherever its branch points by now. */
async function checkout(context: WorkerContext, session: RunSession): Promise<Workspace> {
  const { run, repoUrl, signal } = session;
  const ref = run.base_sha ?? run.ref;
  return await context.workspaces.checkout({
    repo: repoUrl,
    ...(ref !== 'HEAD' && { ref }),
    branch: run.branch,
    tenant: run.tenant_id,
    leaseId: run.id,
    // Whoever asked the remote since the run was submitted saw all that its sender can have pushed before.
    maxAge: ageOf(run),
    signal,
  });
}
