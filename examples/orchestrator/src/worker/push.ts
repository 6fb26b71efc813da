import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Workspace } from '@millrace/workspace';
import { RunFailure } from '../runs/errors.ts';
import type { WorkerContext } from './context.ts';
import { makeScratch } from './scratch.ts';
import type { RunSession } from './session.ts';

/** Puts a fresh workspace at the commit that an earlier worker made and kept in the object store. */
export async function restoreCommit(context: WorkerContext, session: RunSession, workspace: Workspace): Promise<void> {
  const { run, signal } = session;
  const artifact = await context.db
    .selectFrom('artifacts')
    .select('object_key')
    .where('run_id', '=', run.id)
    .where('kind', '=', 'bundle')
    .executeTakeFirst();
  if (!artifact || !run.commit_sha) throw new RunFailure('ERR_COMMIT_LOST', 'The commit of this run was not kept.');
  await using scratch = await makeScratch(context.scratch, session.hold, 'push');
  const bundle = join(scratch.temporary, 'commit.bundle');
  await pipeline(await context.objects.get(artifact.object_key), createWriteStream(bundle));
  await git(workspace, ['bundle', 'unbundle', bundle], signal);
  await git(workspace, ['reset', '--hard', '--quiet', run.commit_sha], signal);
}

async function git(workspace: Workspace, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { exitCode, stderr } = await workspace.exec('git', args, { signal });
  if (exitCode !== 0) throw new Error(`git ${args[0]} failed: ${stderr.trim()}`);
}

/** Brings the branch to the origin: it names the run, so a push that was done before changes nothing. */
export async function push(session: RunSession, workspace: Workspace): Promise<void> {
  const { run, log, signal } = session;
  const pushed = await workspace.push({ signal });
  if (pushed.sha !== run.commit_sha) {
    throw new RunFailure(
      'ERR_PUSHED_OTHER_COMMIT',
      `The branch ${run.branch} holds ${pushed.sha}, not ${run.commit_sha}.`,
    );
  }
  await log.write('system', `Pushed ${run.branch} at ${pushed.sha}.`);
  const next = run.pull_request ? 'pr_open' : 'succeeded';
  await session.advance(next, { data: { branch: run.branch, sha: pushed.sha } });
}
