import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@millrace/test-support';
import { expect } from 'vitest';
import { fakeCheckRun } from '../support/fake-github-repo.ts';
import { git, runBranches } from '../support/origin.ts';
import type { Deployment, Origin } from './deployment.ts';

/** Runs that go on while faults strike. */
export interface Load {
  readonly deployment: Deployment;
  readonly origin: Origin;
  readonly total: number;
  readonly withChecks: boolean;
  /** Names its idempotency keys and its runs. */
  readonly name: string;
}

/** Sends every request until somebody has taken it, with one key, to one API after the other. */
export async function submitAll(load: Load): Promise<void> {
  await Promise.all(Array.from({ length: load.total }, (_, index) => submitSurely(load, index)));
}

async function submitSurely({ deployment, origin, withChecks, name }: Load, index: number): Promise<void> {
  const body = JSON.stringify({
    repo: origin.repo,
    agent: { type: 'command', command: `sleep 0.${1 + (index % 3)}; echo ${index} > file-${index}.txt` },
    message: name,
    pullRequest: { waitForChecks: withChecks },
  });
  const headers = { 'content-type': 'application/json', 'idempotency-key': `${name.replaceAll(/\W+/g, '-')}-${index}` };
  const apis = deployment.named('api');
  for (let attempt = index; ; attempt++) {
    const url = deployment.url(apis[attempt % apis.length] ?? '');
    const signal = AbortSignal.timeout(20_000);
    const response = await fetch(`${url}/v1/runs`, { method: 'POST', headers, body, signal }).catch(() => undefined);
    const answer = (await response?.json().catch(() => undefined)) as { code?: string } | undefined;
    if (response?.status === 202 || answer?.code === 'ERR_IDEMPOTENCY_DUPLICATE') return;
    await sleep(200);
  }
}

interface RunSummary {
  readonly id: string;
  readonly state: string;
  readonly error: unknown;
  readonly commit_sha: string;
}

async function runsOf({ deployment, name }: Load): Promise<RunSummary[]> {
  return await deployment.ask<RunSummary & Record<string, unknown>>(
    'SELECT id, state, error, commit_sha FROM runs WHERE message = $1',
    [name],
  );
}

/** How many runs are in each state. */
export async function statesOf(load: Load): Promise<Map<string, number>> {
  const states = new Map<string, number>();
  for (const { state } of await runsOf(load)) states.set(state, (states.get(state) ?? 0) + 1);
  return states;
}

/** Resolves when so many runs have come far enough to have a commit. */
export async function underWay(load: Load, count: number): Promise<void> {
  const committed = async () => (await runsOf(load)).filter(({ commit_sha }) => commit_sha !== null).length;
  await unlessCrashed(load, `${count} runs with a commit`, async () => (await committed()) >= count);
}

export async function allEnded(load: Load): Promise<void> {
  const ends = ['succeeded', 'failed', 'cancelled'];
  const over = async () => (await runsOf(load)).filter(({ state }) => ends.includes(state)).length;
  await unlessCrashed(load, 'all runs to end', async () => (await over()) === load.total);
}

/** A process that ended by itself is a defect, and nothing would come of waiting for it. */
async function unlessCrashed({ deployment }: Load, what: string, condition: () => Promise<boolean>): Promise<void> {
  const crashed = (): boolean => deployment.crashed().length > 0;
  await waitFor(async () => crashed() || (await condition()), { timeout: 1_800_000, interval: 100, what });
  expect(deployment.crashed(), 'processes that ended by themselves').toEqual([]);
}

/** GitHub's CI: it is done with each commit soon, and tells so once, to whichever API is asked. */
export function startChecks({ deployment, origin }: Load): { stop(): Promise<void> } {
  const told = new Set<string>();
  const { github } = deployment;
  const tell = async (sha: string): Promise<void> => {
    const run = fakeCheckRun(sha, 'test', 'success');
    github.repo.checkRuns.set(sha, [run]);
    const body = JSON.stringify({ action: 'completed', repository: { id: github.repo.id }, check_run: run });
    const signature = createHmac('sha256', deployment.webhookSecret).update(body).digest('hex');
    const headers = {
      'x-github-event': 'check_run',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${signature}`,
    };
    const apis = deployment.named('api');
    const url = `${deployment.url(apis[told.size % apis.length] ?? '')}/webhooks/github`;
    await fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
  };
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      for (const sha of (await runBranches(origin.bare)).values()) {
        if (told.has(sha)) continue;
        told.add(sha);
        await tell(sha);
      }
      await sleep(200);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await loop;
    },
  };
}

/** Each run succeeded once, with one commit on one branch and one pull request, and its trail is whole. */
export async function expectEachOnce(load: Load): Promise<void> {
  const { deployment, origin, total, name } = load;
  const runs = await runsOf(load);
  expect(runs).toHaveLength(total);
  expect(runs.filter(({ state }) => state !== 'succeeded')).toEqual([]);
  const branches = await runBranches(origin.bare);
  const commits = await git(origin.bare, 'rev-list', '--count', '--branches=millrace/*', '^main');
  expect(Number(commits), 'one commit a branch').toBe(branches.size);
  const heads = runs.map(({ id }) => `millrace/${id}`).sort();
  expect(heads.map((head) => branches.get(head))).toEqual(heads.map((head) => commitOf(runs, head)));
  const pulls = await deployment.ask<{ head: string }>('SELECT head FROM prs WHERE title = $1', [name]);
  expect(pulls.map(({ head }) => head).sort()).toEqual(heads);
  const broken = await deployment.ask(
    `SELECT run_id FROM run_events WHERE run_id IN (SELECT id FROM runs WHERE message = $1) GROUP BY run_id
     HAVING count(*) <> max(seq) OR count(*) FILTER (WHERE to_state = 'succeeded' AND from_state <> 'succeeded') <> 1`,
    [name],
  );
  expect(broken, 'every trail is whole and ends once').toEqual([]);
}

function commitOf(runs: readonly RunSummary[], head: string): string | undefined {
  return runs.find(({ id }) => head.endsWith(id))?.commit_sha;
}
