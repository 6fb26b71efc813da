import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FakeProvider, startFakeProvider } from '@millrace/ratelimit/testing';
import { temporaryDirectory, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Refusal } from '../src/gateway/refusal.ts';
import { refusalIn, refusalOf } from '../src/gateway/refusal.ts';
import { judgeAgent } from '../src/worker/judge.ts';
import { embeddedUrl } from './support/barrier.ts';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';

/** Stands for the real program: one call of the model, then a file or a failure. */
const program = `#!/usr/bin/env node
const answer = await fetch(process.env.ANTHROPIC_BASE_URL + '/v1/messages', {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-api-key': process.env.ANTHROPIC_API_KEY },
  body: JSON.stringify({ model: 'claude-sonnet-4-5', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }),
});
if (!answer.ok) {
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  process.exit(1);
}
(await import('node:fs')).writeFileSync('done.txt', 'done');
console.log(JSON.stringify({ type: 'result', is_error: false, result: 'Done.' }));
`;

let provider: FakeProvider;
let orchestrator: TestOrchestrator;
let database: pg.Client;

beforeAll(async () => {
  provider = await startFakeProvider();
  const agents = await temporaryDirectory('agents');
  const folder = join(agents.path, 'claude', 'node_modules', '.bin');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'claude'), program);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await chmod(join(folder, 'claude'), 0o755);
  orchestrator = await startTestOrchestrator({
    AGENTS_DIR: agents.path,
    ANTHROPIC_API_KEY: 'k',
    ANTHROPIC_BASE_URL: provider.url,
  });
  database = new pg.Client({ connectionString: await embeddedUrl(`${orchestrator.directory}/data`) });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await orchestrator[Symbol.asyncDispose]();
  await provider.close();
});

test('a run whose provider asks for a long wait gives up its place, says why, and comes back by itself', async () => {
  const { client, origin } = orchestrator;
  provider.fail({ kind: 'rate-limit', retryAfter: 600, times: 1000 });
  const agent = { type: 'claude', prompt: 'Hello.' } as const;
  const { id } = await client.submit({ repo: origin, agent });
  const parked = await waitFor(
    async () => {
      const run = await client.get(id);
      return run.state === 'parked' ? run : undefined;
    },
    { timeout: 30_000 },
  );
  expect(parked).toMatchObject({ parkedReason: 'provider-limit', error: null, attempt: 0 });
  expect(Date.parse(parked.parkedUntil ?? '')).toBeGreaterThan(Date.now() + 300_000);
  const why = await client.api.GET('/v1/runs/{id}/why', { params: { path: { id } } });
  expect(why.data).toMatchObject({ reason: 'parked-provider-limit', until: parked.parkedUntil });

  provider.heal();
  // Ten minutes pass: for the run, and for the pause of the account, which all workers share.
  await database.query('DELETE FROM millrace_state');
  await database.query('UPDATE runs SET parked_until = now() WHERE id = $1', [id]);
  const done = await waitFor(
    async () => {
      const run = await client.get(id);
      return run.finishedAt ? run : undefined;
    },
    { timeout: 60_000 },
  );
  expect(done).toMatchObject({ state: 'succeeded', attempt: 1 });
}, 120_000);

test('a parked run can be cancelled at once', async () => {
  const { client, origin } = orchestrator;
  provider.fail({ kind: 'rate-limit', retryAfter: 600, times: 1000 });
  const { id } = await client.submit({ repo: origin, agent: { type: 'claude', prompt: 'Hello.' } });
  await waitFor(async () => (await client.get(id)).state === 'parked', { timeout: 30_000 });
  expect(await client.cancel(id)).toMatchObject({ state: 'cancelled', parkedReason: null });
  provider.heal();
}, 60_000);

describe('what an agent that could not call its model means for its run', () => {
  const exited = { reason: 'exited', exitCode: 1, signal: null } as const;
  const report = { sessionId: undefined, result: undefined };
  const judge = (
    trouble: Refusal | undefined,
    refusal?: Refusal,
    result: Parameters<typeof judgeAgent>[0]['result'] = exited,
  ) => {
    try {
      judgeAgent({ result, report, refusal, trouble, timeout: 1 });
      return undefined;
    } catch (error) {
      return error as { code: string; reason?: string; retryAfter?: number; class?: string };
    }
  };
  const error = (code: string, retryAfter?: number) => Object.assign(new Error('No.'), { code, retryAfter });
  const answered = (status: number, headers = {}) => refusalIn(new Response('', { status, headers }));

  test.each([
    ['an open breaker', refusalOf(error('ERR_CIRCUIT_OPEN', 3000)), { reason: 'breaker', retryAfter: 3000 }],
    ['limits of ours', refusalOf(error('ERR_RATE_LIMITED', 9000)), { reason: 'provider-limit', retryAfter: 9000 }],
    [
      'a 429 after all attempts',
      answered(429, { 'retry-after': '90' }),
      { reason: 'provider-limit', retryAfter: 90_000 },
    ],
    ['a provider that is down', answered(529), { reason: 'breaker', retryAfter: 30_000 }],
    ['a spent month', refusalOf(error('ERR_BUDGET_EXCEEDED', 86_400_000)), { reason: 'budget' }],
  ] as const)('%s parks it', (_name, trouble, expected) => {
    expect(judge(trouble)).toMatchObject({ code: 'ERR_RUN_PARKED', ...expected });
  });

  test('a budget that never begins anew is its end, whatever the agent made of it', () => {
    const refusal = refusalOf(error('ERR_BUDGET_EXCEEDED'));
    expect(judge(undefined, refusal, { reason: 'exited', exitCode: 0, signal: null })).toMatchObject({
      code: 'ERR_RUN_BUDGET',
      class: 'budget',
    });
  });

  test('trouble that the agent lived with is forgotten; a failure without trouble is its own', () => {
    const trouble = answered(529);
    expect(judge(trouble, undefined, { reason: 'exited', exitCode: 0, signal: null })).toBeUndefined();
    expect(judge(undefined)).toMatchObject({ code: 'ERR_AGENT_FAILED', class: 'fatal' });
    expect(judge(trouble, undefined, { reason: 'timeout', exitCode: null, signal: null })).toMatchObject({
      code: 'ERR_AGENT_TIMEOUT',
      class: 'timeout',
    });
    expect([answered(200), answered(400), answered(401)]).toEqual([undefined, undefined, undefined]);
  });
});
