import { createHmac, randomUUID } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FakeProvider, startFakeProvider } from '@millrace/ratelimit/testing';
import { type GitServer, startGitServer, temporaryDirectory } from '@millrace/test-support';
import { type FakeGithub, startFakeGithub } from './fake-github.ts';
import { fakeCheckRun } from './fake-github-repo.ts';
import { startTestOrchestrator, type TestOrchestrator } from './orchestrator.ts';
import { makeOrigin } from './origin.ts';

const secret = 'the-secret-of-the-webhook';
const token = 'ghp_of_the_server';

/** An orchestrator with everything around it that it can have: a forge with CI, a git server, a provider of models, an agent. */
export interface ObservedService extends AsyncDisposable {
  readonly orchestrator: TestOrchestrator;
  readonly provider: FakeProvider;
  readonly git: GitServer;
  /** URL of the repository that the forge knows. */
  readonly repo: string;
  /** Says to the orchestrator how the checks of a commit ended, as the forge does; answers the status of its answer. */
  check(sha: string, conclusion: 'success' | 'failure'): Promise<number>;
}

export async function startObservedService(env: Readonly<Record<string, string>> = {}): Promise<ObservedService> {
  const programs = await temporaryDirectory('agents');
  await installAgent(programs.path);
  const provider = await startFakeProvider({ keys: ['real'], limits: { requests: 10_000 } });
  const authorize = (header: string | undefined): boolean => header === `token ${token}`;
  const github: FakeGithub = await startFakeGithub({ owner: 'acme', name: 'app', authorize });
  const git = await startGitServer({ auth: { token } });
  const repo = await git.createRepo('acme/app.git', await makeOrigin(git.root, 'seed'));
  const orchestrator = await startTestOrchestrator({
    AGENTS_DIR: programs.path,
    ANTHROPIC_API_KEY: 'real',
    ANTHROPIC_BASE_URL: provider.url,
    GITHUB_URL: git.url,
    GITHUB_API_URL: github.url,
    GITHUB_TOKEN: token,
    GITHUB_WEBHOOK_SECRET: secret,
    CI_SILENCE: '1h',
    ...env,
  });
  return {
    orchestrator,
    provider,
    git,
    repo,
    async check(sha, conclusion) {
      const run = fakeCheckRun(sha, 'test', conclusion);
      github.repo.checkRuns.set(sha, [run]);
      const body = { action: 'completed', repository: { id: github.repo.id }, check_run: run };
      return await deliver(orchestrator.url, 'check_run', body);
    },
    [Symbol.asyncDispose]: async () => {
      await orchestrator[Symbol.asyncDispose]();
      await git[Symbol.asyncDispose]();
      await github[Symbol.asyncDispose]();
      await provider.close();
      await programs.remove();
    },
  };
}

async function deliver(url: string, event: string, body: object): Promise<number> {
  const text = JSON.stringify(body);
  const signature = `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;
  const headers = { 'x-github-event': event, 'x-github-delivery': randomUUID(), 'x-hub-signature-256': signature };
  return (await fetch(`${url}/webhooks/github`, { method: 'POST', body: text, headers })).status;
}

/** A program in the place of Claude Code that asks the model once, changes a file and ends, as that one does. */
async function installAgent(programs: string): Promise<void> {
  const bin = join(programs, 'claude', 'node_modules', '.bin');
  await mkdir(bin, { recursive: true });
  const program = `#!/usr/bin/env node
const { ANTHROPIC_BASE_URL: base, ANTHROPIC_API_KEY: key } = process.env;
const body = { model: 'claude-sonnet-4-5', max_tokens: 20, messages: [{ role: 'user', content: process.argv[3] }] };
const headers = { 'x-api-key': key, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' };
const answer = await fetch(base + '/v1/messages', { method: 'POST', headers, body: JSON.stringify(body) });
const { usage } = await answer.json();
await import('node:fs').then((fs) => fs.writeFileSync('answer.txt', String(Math.random())));
console.log(JSON.stringify({ type: 'result', is_error: !answer.ok, result: 'Done.', usage }));
`;
  // A name with .mjs, so that it is a module whatever lies above it.
  await writeFile(join(bin, 'claude.mjs'), program);
  await writeFile(join(bin, 'claude'), `#!/bin/sh\nexec node '${join(bin, 'claude.mjs')}' "$@"\n`);
  await chmod(join(bin, 'claude'), 0o755);
}
