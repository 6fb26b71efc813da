import { createHmac, randomUUID } from 'node:crypto';
import { startGitServer, waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunView } from '../src/http/view.ts';
import { type FakeGithub, startFakeGithub } from './support/fake-github.ts';
import { fakeCheckRun } from './support/fake-github-repo.ts';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';
import { git, makeOrigin, runBranches } from './support/origin.ts';

const secret = 'the-secret-of-the-webhook';
const token = 'ghp_of_the_server';
let github: FakeGithub;
let server: Awaited<ReturnType<typeof startGitServer>>;
let orchestrator: TestOrchestrator;
let repo: string;
let bare: string;

beforeAll(async () => {
  github = await startFakeGithub({ owner: 'acme', name: 'app', authorize: (header) => header === `token ${token}` });
  server = await startGitServer({ auth: { token } });
  bare = await makeOrigin(server.root, 'seed');
  repo = await server.createRepo('acme/app.git', bare);
  bare = `${server.root}/acme/app.git`;
  orchestrator = await startTestOrchestrator({
    GITHUB_URL: server.url,
    GITHUB_API_URL: github.url,
    GITHUB_TOKEN: token,
    GITHUB_WEBHOOK_SECRET: secret,
    CI_SILENCE: '1h',
  });
});
afterAll(async () => {
  await orchestrator[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await github[Symbol.asyncDispose]();
  expect(github.violations).toEqual([]);
});

async function deliver(event: string, body: object, key = secret): Promise<number> {
  const text = JSON.stringify(body);
  const signature = `sha256=${createHmac('sha256', key).update(text).digest('hex')}`;
  const headers = { 'x-github-event': event, 'x-github-delivery': randomUUID(), 'x-hub-signature-256': signature };
  return (await fetch(`${orchestrator.url}/webhooks/github`, { method: 'POST', body: text, headers })).status;
}

/** CI is done with a commit: GitHub shows it, and says so. */
async function check(sha: string, conclusion: 'success' | 'failure', key = secret): Promise<number> {
  const run = fakeCheckRun(sha, 'test', conclusion);
  github.repo.checkRuns.set(sha, [run]);
  return await deliver('check_run', { action: 'completed', repository: { id: github.repo.id }, check_run: run }, key);
}

async function until(id: string, state: RunView['state']): Promise<RunView> {
  return await waitFor(
    async () => {
      const run = await orchestrator.client.get(id);
      return run.state === state ? run : undefined;
    },
    { timeout: 30_000 },
  );
}

test('a run becomes a branch and a pull request on GitHub, and waits for the checks; a forged delivery moves nothing', async () => {
  const { client } = orchestrator;
  const agent = { type: 'command', command: 'env > environment.txt' } as const;
  const pullRequest = { title: 'Change it', waitForChecks: true };
  const { id } = await client.submit({ repo, agent, pullRequest });
  const waiting = await until(id, 'ci_waiting');
  const sha = waiting.commitSha ?? '';
  expect(await runBranches(bare)).toEqual(new Map([[`millrace/${id}`, sha]]));
  expect(github.repo.pulls).toMatchObject([
    { title: 'Change it', head: { ref: `millrace/${id}` }, base: { ref: 'main' } },
  ]);
  expect(waiting.pullRequest).toEqual({ number: 1, url: 'https://github.example/acme/app/pull/1' });
  const environment = await git(bare, 'show', `millrace/${id}:environment.txt`);
  expect(environment, 'the agent saw nothing of the token').not.toContain(token);

  expect(await check(sha, 'failure', 'another secret')).toBe(401);
  expect((await client.get(id)).state).toBe('ci_waiting');
  expect(await check(sha, 'success')).toBe(202);
  await until(id, 'succeeded');
}, 60_000);

test('failed checks are mended on the same branch, in the same pull request, and told there', async () => {
  const { client } = orchestrator;
  const command = 'printenv MILLRACE_FAILED_CHECKS >> log.txt || echo first >> log.txt';
  const pullRequest = { waitForChecks: true, followUp: { attempts: 1 } };
  const first = await client.submit({ repo, ref: 'main', agent: { type: 'command', command }, pullRequest });
  const before = await until(first.id, 'ci_waiting');
  await check(before.commitSha ?? '', 'failure');
  expect(await until(first.id, 'failed')).toMatchObject({ error: { code: 'ERR_CHECKS_FAILED' } });
  const next = await waitFor(async () => {
    const answer = await fetch(`${orchestrator.url}/v1/runs`);
    const { runs } = (await answer.json()) as { runs: RunView[] };
    return runs.find((run) => run.followUpOf === first.id);
  });
  const mended = await until(next.id, 'ci_waiting');
  expect(mended.pullRequest).toEqual(before.pullRequest);
  expect(await git(bare, 'show', `millrace/${first.id}:log.txt`)).toBe('first\ntest');
  const told = github.repo.comments.map(({ body }) => String(body)).filter((body) => body.includes(next.id));
  expect(told).toHaveLength(1);
  await check(mended.commitSha ?? '', 'failure');
  await until(next.id, 'failed');
  const { runs } = (await (await fetch(`${orchestrator.url}/v1/runs`)).json()) as { runs: RunView[] };
  expect(
    runs.filter((run) => run.followUpOf === next.id),
    'one attempt was asked for',
  ).toEqual([]);
}, 60_000);

test('a push is fetched before a run asks for it', async () => {
  const work = `${server.root}/seed-work`;
  await git(
    work,
    '-c',
    'user.name=T',
    '-c',
    'user.email=t@localhost',
    'commit',
    '--quiet',
    '--allow-empty',
    '-m',
    'More',
  );
  await git(work, 'push', '--quiet', bare, 'main');
  const fetches = () =>
    server.requests.filter(({ method, url }) => method === 'POST' && url.endsWith('git-upload-pack')).length;
  const before = fetches();
  const repository = { id: github.repo.id, clone_url: repo, ssh_url: '', html_url: '' };
  expect(await deliver('push', { ref: 'refs/heads/main', repository })).toBe(202);
  await waitFor(() => fetches() > before, { timeout: 20_000 });
}, 60_000);

describe('a run can be cancelled while the world is silent', () => {
  const pullRequest = { waitForChecks: true };
  /** Waits for a state, cancels, and expects the end long before the world would have answered. */
  const cancelIn = async (id: string, state: RunView['state']): Promise<void> => {
    await until(id, state);
    await orchestrator.client.cancel(id);
    expect(await until(id, 'cancelled')).toMatchObject({ error: null });
  };
  const command = (text: string) => ({ type: 'command', command: text }) as const;

  test('in preparing', async () => {
    const run = await orchestrator.client.submit({ repo, agent: command('true') });
    server.latency(120_000);
    try {
      await cancelIn(run.id, 'preparing');
    } finally {
      server.latency(0);
    }
  });

  test('in running, with a program that does not want to end', async () => {
    const agent = command("trap '' TERM; while true; do sleep 1; done");
    const run = await orchestrator.client.submit({ repo, agent });
    await cancelIn(run.id, 'running');
  });

  test('in pushing', async () => {
    const run = await orchestrator.client.submit({ repo, agent: command('sleep 1; echo p > p') });
    await until(run.id, 'running');
    server.latency(120_000);
    try {
      await cancelIn(run.id, 'pushing');
    } finally {
      server.latency(0);
    }
  });

  test('in pr_open', async () => {
    github.fail({ when: (method, path) => method === 'GET' && path.endsWith('/pulls'), answer: 'hang' });
    const run = await orchestrator.client.submit({ repo, agent: command('echo o > o'), pullRequest });
    await cancelIn(run.id, 'pr_open');
    github.heal();
  });

  test('in ci_waiting', async () => {
    const run = await orchestrator.client.submit({ repo, agent: command('echo c > c'), pullRequest });
    await cancelIn(run.id, 'ci_waiting');
  });
});
