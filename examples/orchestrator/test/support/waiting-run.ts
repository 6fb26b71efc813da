import { beginWaiting } from '../../src/ci/await-checks.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import type { NewRun } from '../../src/runs/create.ts';
import { getRun } from '../../src/runs/store.ts';
import { takeRun } from '../../src/runs/take.ts';
import { type Hold, moveRun } from '../../src/runs/transition.ts';
import { submit } from './database.ts';

/** A commit of a repository at a forge. */
export interface ForgeCommit {
  readonly repoId: number;
  readonly sha: string;
}

/** A run that has its pull request and waits for the checks of a commit, as a worker leaves it. */
export async function waitingRun(
  database: OpenDatabase,
  commit: ForgeCommit,
  change: Partial<NewRun> = {},
): Promise<string> {
  const { db } = database;
  const repo = `https://forge.example/acme/${commit.repoId}.git`;
  const id = await submit(database, { repo, pullRequest: { waitForChecks: true }, ...change });
  const { repo_id } = (await getRun(db, 'default', id)) ?? { repo_id: '' };
  await db.updateTable('repos').set({ forge_repo_id: commit.repoId }).where('id', '=', repo_id).execute();
  const hold: Hold = { runId: id, dispatch: 1, fence: 1, workerId: 'w' };
  await takeRun(db, hold);
  for (const [from, to] of [
    ['admitted', 'preparing'],
    ['preparing', 'running'],
    ['running', 'collecting'],
    ['collecting', 'pushing'],
    ['pushing', 'pr_open'],
  ] as const) {
    await moveRun(db, hold, { from, to, ...(to === 'pushing' && { set: { commit_sha: commit.sha } }) });
  }
  await db.transaction().execute(async (tx) => {
    await moveRun(tx, hold, { from: 'pr_open', to: 'ci_waiting', set: { pr_number: 1 } });
    await beginWaiting(tx, commit, repo);
  });
  return id;
}
