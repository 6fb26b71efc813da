import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Workspace, WorkspaceManager } from '../../src/index.ts';
import { type Fixture, git } from './fixture.ts';

/** What one agent does again and again: the things that make, read and collect objects. */
const deeds: readonly string[] = [
  'git fetch -q origin && git log --oneline -50 --stat origin/main > /dev/null',
  'git gc -q',
  'git repack -adlq',
  'git gc -q --prune=now',
  'git checkout -q -B side && git commit -q --allow-empty -m side && git checkout -q -',
  'git stash -q && git stash pop -q; git status --porcelain > /dev/null',
];

/** Content that several agents and the mirror come to have by themselves, so that git borrows it where it can. */
function sharedText(round: number): string {
  return `${'common text\n'.repeat(100)}${round % 20}\n`;
}

async function work(workspace: Workspace, agent: number, round: number): Promise<void> {
  writeFileSync(join(workspace.hostPath, `shared-${round % 7}.txt`), sharedText(round));
  writeFileSync(join(workspace.hostPath, `own-${agent}.txt`), `${round}\n`);
  const deed = deeds[(round + agent) % deeds.length] as string;
  const script = `git add -A && git commit -qm "round ${round}" && { ${deed}; }`;
  const { exitCode, stderr } = await workspace.exec('sh', ['-c', script]);
  if (exitCode !== 0) throw new Error(`agent ${agent}, round ${round}: ${stderr}`);
}

/** Upstream moves, is rewritten, loses branches; the mirror follows, repacks, expires. */
async function upheave(it: Fixture, manager: WorkspaceManager, round: number): Promise<void> {
  if (round % 3 === 0) git(it.author, 'commit', '--quiet', '--amend', '--allow-empty', '-m', `rewritten ${round}`);
  it.push({ [`upstream-${round % 5}.txt`]: sharedText(round), 'shared-3.txt': sharedText(round + 3) });
  it.push({ 'doomed.txt': sharedText(round + 1) }, `doomed-${round}`);
  await manager.prefetch(it.origin);
  git(it.origin, 'update-ref', '-d', `refs/heads/doomed-${round}`);
  await manager.prefetch(it.origin);
  await manager.prune();
}

/** Options of {@link stress}. */
export interface StressOptions {
  readonly agents: number;
  /** Decides whether there is another round. */
  readonly goOn: (round: number) => boolean;
  /** Does something to the mirror in each round. */
  readonly meddle?: (round: number) => void;
}

/**
 * Agents write, commit, fetch and collect in their workspaces while the mirror fetches, is rewritten and maintained.
 *
 * @returns the agents' numbers whose repository is not whole at the end
 */
export async function stress(
  it: Fixture,
  manager: WorkspaceManager,
  options: StressOptions,
): Promise<readonly number[]> {
  const { agents, goOn, meddle } = options;
  const workspaces = await Promise.all(
    Array.from({ length: agents }, (_, agent) => manager.checkout({ repo: it.origin, branch: `agent/${agent}` })),
  );
  let ended = false;
  const lives = Promise.allSettled(
    workspaces.map(async (workspace, agent) => {
      for (let round = 0; !ended; round += 1) await work(workspace, agent, round);
    }),
  );
  for (let round = 0; goOn(round); round += 1) {
    await upheave(it, manager, round);
    meddle?.(round);
  }
  ended = true;
  const broken = (await lives).flatMap(({ status }, agent) => (status === 'rejected' ? [agent] : []));
  for (const [agent, workspace] of workspaces.entries()) {
    const { exitCode } = await workspace.exec('git', ['fsck', '--full', '--strict']);
    const status = await workspace.exec('git', ['status', '--porcelain']);
    if ((exitCode !== 0 || status.exitCode !== 0) && !broken.includes(agent)) broken.push(agent);
  }
  await Promise.all(workspaces.map((workspace) => workspace.dispose()));
  return broken;
}
