import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workspace } from '@millrace/workspace';
import { type ArtifactKind, saveArtifacts } from '../archive/artifacts.ts';
import type { StoredObject } from '../objects/store.ts';
import type { WorkerContext } from './context.ts';
import { statOfPatch } from './patch-stat.ts';
import { makeScratch } from './scratch.ts';
import type { RunSession } from './session.ts';

/**
 * Commits what the agent did and keeps the commit (a bundle) and the diff in the object store, so that whoever takes
 * the run over from here repeats nothing. The commit's date is the run's, so the same change is the same commit.
 * Resolves with false, and the run has succeeded, when the agent changed nothing.
 */
export async function collect(context: WorkerContext, session: RunSession, workspace: Workspace): Promise<boolean> {
  const { run, signal } = session;
  const commit = await workspace.commitAll({ message: run.message, date: run.created_at, final: true, signal });
  const head = commit?.sha ?? (await workspace.status({ signal })).head;
  const changed = head !== workspace.base;
  const patch = changed ? await workspace.patch({ to: head, signal }) : Buffer.alloc(0);
  const stat = statOfPatch(patch);
  const artifacts = await storeArtifacts(context, session, workspace, { patch, changed });
  await saveArtifacts(context.db, session.hold.runId, artifacts);
  if (changed) {
    await session.advance('pushing', { set: { ...stat, commit_sha: head, exit_code: 0 } });
    return true;
  }
  await session.log.write('system', 'The agent changed nothing; there is nothing to push.');
  await session.advance('succeeded', { set: { ...stat, exit_code: 0 } });
  return false;
}

/** The fence in the key keeps a worker that lost the run from writing over what its successor stored. */
async function storeArtifacts(
  context: WorkerContext,
  session: RunSession,
  workspace: Workspace,
  { patch, changed }: { readonly patch: Buffer; readonly changed: boolean },
): Promise<Map<ArtifactKind, StoredObject>> {
  const { hold, signal } = session;
  const keyOf = (name: string) => `runs/${hold.runId}/${hold.dispatch}-${hold.fence}/${name}`;
  await using scratch = await makeScratch(context.scratch, hold, 'collect');
  const stored = new Map<ArtifactKind, StoredObject>();
  const file = join(scratch.temporary, 'diff.patch');
  await writeFile(file, patch);
  stored.set('diff', await context.objects.putFile(keyOf('diff.patch'), file));
  if (!changed) return stored;
  const bundle = join(scratch.temporary, 'commit.bundle');
  await workspace.bundle({ path: bundle, signal });
  stored.set('bundle', await context.objects.putFile(keyOf('commit.bundle'), bundle));
  return stored;
}
