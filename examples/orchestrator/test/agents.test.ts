import { join } from 'node:path';
import {
  type FakeProvider,
  type ProviderRequest,
  startFakeProvider,
  turns,
  writeFile,
} from '@millrace/ratelimit/testing';
import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NewRun } from '../src/client/client.ts';
import { type InstalledAgents, installAgents, installTimeout } from './support/agents.ts';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';
import { git } from './support/origin.ts';

let programs: InstalledAgents;
let provider: FakeProvider;
let orchestrator: TestOrchestrator;

beforeAll(async () => {
  programs = await installAgents();
  provider = await startFakeProvider({ keys: ['the-real-key'] });
  orchestrator = await startTestOrchestrator({
    ...(programs.folder && { AGENTS_DIR: programs.folder }),
    ANTHROPIC_API_KEY: 'the-real-key',
    ANTHROPIC_BASE_URL: provider.url,
    OPENAI_API_KEY: 'the-real-key',
    OPENAI_BASE_URL: provider.url,
    GEMINI_API_KEY: 'the-real-key',
    GEMINI_BASE_URL: provider.url,
  });
}, installTimeout + 60_000);
afterAll(async () => {
  await orchestrator[Symbol.asyncDispose]();
  await provider.close();
});

/** Agents tell the model where they work, and their file tools want absolute paths. */
function inWorkspace({ body }: ProviderRequest, name: string): string {
  const root = join(orchestrator.directory, 'data', 'git');
  const path = new RegExp(`${root}[^"'\\\\\\s<>\`]*`).exec(JSON.stringify(body))?.[0] ?? root;
  return join(path, name);
}

const agents: readonly NewRun['agent'][] = [
  { type: 'claude', prompt: 'Write three.txt.', model: 'claude-sonnet-4-5' },
  { type: 'codex', prompt: 'Write three.txt.', model: 'gpt-5.1-codex' },
  { type: 'gemini', prompt: 'Write three.txt.', model: 'gemini-2.5-pro' },
];

for (const agent of agents) {
  test(`the real ${agent.type} edits a file through the gateway, and its branch is pushed`, async ({ skip }) => {
    skip(programs.folder === undefined, programs.reason); // 740 MB that this machine could not fetch
    let written = '';
    const write = (request: ProviderRequest) => {
      written = inWorkspace(request, 'three.txt');
      return writeFile(written, 'three\n')(request);
    };
    provider.respond(turns([write, { text: 'Written.' }]));
    const { client, origin } = orchestrator;
    const run = await client.submit({ repo: origin, ref: 'main', agent, timeout: '100s' });
    const done = await ended(run.id);
    const lines = await logOf(run.id);
    expect(done, lines.join('\n')).toMatchObject({
      state: 'succeeded',
      diffStat: { filesChanged: 1, insertions: 1 },
    });
    expect(await git(origin, 'show', `millrace/${run.id}:three.txt`)).toBe('three');
    expect(lines).toContain('Written.');
    expect(done.usage.inputTokens).toBeGreaterThan(0);
    expect(done.usage.outputTokens).toBeGreaterThan(0);
    expect(done.usage.costMicroUsd).toBeGreaterThan(0);
    expect(lines.join('\n')).not.toContain('the-real-key');

    // Another run, in another workspace and home, goes on from there.
    provider.respond(() => ({ text: 'I remember.' }));
    const asked = provider.requests.length;
    const sequel = { ...agent, prompt: 'What did you write?', session: done.session ?? '' };
    const next = await client.submit({ repo: origin, ref: 'main', agent: sequel, timeout: '100s' });
    expect(await ended(next.id), (await logOf(next.id)).join('\n')).toMatchObject({ state: 'succeeded' });
    const heard = JSON.stringify(provider.requests.slice(asked).map(({ body }) => body));
    expect(heard).toContain('Write three.txt.');
    expect(heard).toContain('What did you write?');
    expect(heard, 'the workspace of the run before is gone').not.toContain(written);
  }, 250_000);
}

async function ended(id: string) {
  return await waitFor(
    async () => {
      const now = await orchestrator.client.get(id);
      return now.finishedAt ? now : undefined;
    },
    { timeout: 120_000, interval: 200 },
  );
}

async function logOf(id: string): Promise<string[]> {
  const response = await fetch(`${orchestrator.url}/v1/runs/${id}/logs`);
  const { lines } = (await response.json()) as { lines: { text: string }[] };
  return lines.map((line) => line.text);
}

test('a run whose own budget is too small for its agent has failed, and its tenant was charged nothing', async ({
  skip,
}) => {
  skip(programs.folder === undefined, programs.reason); // 740 MB that this machine could not fetch
  const { client, origin } = orchestrator;
  const agent = { type: 'claude' as const, prompt: 'Hello.', model: 'claude-sonnet-4-5' };
  const run = await client.submit({ repo: origin, agent, budgetMicroUsd: 1, timeout: '60s' });
  const done = await ended(run.id);
  expect(done).toMatchObject({ state: 'failed', error: { code: 'ERR_RUN_BUDGET' }, usage: { costMicroUsd: 0 } });
}, 120_000);

test('an agent that is not installed fails its run with the command that installs it', async () => {
  await using bare = await startTestOrchestrator({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: provider.url });
  const run = await bare.client.submit({ repo: bare.origin, agent: { type: 'claude', prompt: 'Hello.' } });
  const done = await waitFor(
    async () => {
      const now = await bare.client.get(run.id);
      return now.finishedAt ? now : undefined;
    },
    { timeout: 20_000 },
  );
  expect(done).toMatchObject({ state: 'failed', error: { code: 'ERR_AGENT_NOT_INSTALLED' } });
  expect(done.error?.message).toContain('npm run agents -- claude');
});

test('an agent whose provider has no key is refused at once', async () => {
  await using bare = await startTestOrchestrator();
  const submitted = bare.client.submit({ repo: bare.origin, agent: { type: 'claude', prompt: 'Hello.' } });
  await expect(submitted).rejects.toMatchObject({ status: 422, code: 'ERR_PROVIDER_NOT_CONFIGURED' });
});

test('a session that nobody kept is refused at once', async () => {
  const agent = { type: 'claude' as const, prompt: 'Hello.', session: 'nobody-s' };
  const submitted = orchestrator.client.submit({ repo: orchestrator.origin, agent });
  await expect(submitted).rejects.toMatchObject({ status: 422, code: 'ERR_SESSION_NOT_FOUND' });
});
