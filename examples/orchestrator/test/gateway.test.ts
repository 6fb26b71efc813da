import { type FakeProvider, startFakeProvider } from '@millrace/ratelimit/testing';
import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createGateway, type Gateway, type ModelCaller } from '../src/gateway/gateway.ts';
import type { ProviderName, Usage } from '../src/gateway/providers.ts';

let provider: FakeProvider;
const used: { caller: ModelCaller; model: string; usage: Usage }[] = [];
let refuseWith: unknown;
let gateway: Gateway;

beforeAll(async () => {
  provider = await startFakeProvider({
    keys: ['real'],
    respond: () => ({ text: 'Hello.', usage: { input: 11, output: 3 } }),
  });
  const account = { key: 'real', baseUrl: provider.url };
  gateway = createGateway({
    url: () => 'http://gateway',
    accounts: { anthropic: account, openai: account, gemini: account },
    fetch: (request) => (refuseWith ? Promise.reject(refuseWith) : fetch(request)),
    onUsage: (caller, model, usage) => used.push({ caller, model, usage }),
    parkAfter: 60_000,
  });
});
beforeEach(() => {
  used.splice(0);
  refuseWith = undefined;
});
afterAll(() => provider.close());

const callerOf = (name: ProviderName): ModelCaller => ({ runId: 'run', tenantId: 'default', provider: name });
const headerOf: Record<ProviderName, (token: string) => Record<string, string>> = {
  anthropic: (token) => ({ 'x-api-key': token }),
  openai: (token) => ({ authorization: `Bearer ${token}` }),
  gemini: (token) => ({ 'x-goog-api-key': token }),
};

async function call(name: ProviderName, token: string, path: string, body?: object, method = 'POST') {
  const request = new Request(`http://gateway/gateway/${name}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headerOf[name](token) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const response = await gateway.handle(request);
  if (!response) throw new Error('not a request for the gateway');
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const message = { role: 'user', content: 'Hi' };
const conversations: readonly (readonly [ProviderName, string, string, object])[] = [
  ['anthropic', 'claude-x', '/v1/messages', { model: 'claude-x', max_tokens: 9, messages: [message] }],
  ['anthropic', 'claude-x', '/v1/messages', { model: 'claude-x', max_tokens: 9, messages: [message], stream: true }],
  ['openai', 'gpt-x', '/v1/responses', { model: 'gpt-x', input: 'Hi' }],
  ['openai', 'gpt-x', '/v1/responses', { model: 'gpt-x', input: 'Hi', stream: true }],
  ['openai', 'gpt-x', '/v1/chat/completions', { model: 'gpt-x', messages: [message] }],
  ['gemini', 'gem-x', '/v1beta/models/gem-x:generateContent', { contents: [{ parts: [{ text: 'Hi' }] }] }],
  [
    'gemini',
    'gem-x',
    '/v1beta/models/gem-x:streamGenerateContent?alt=sse',
    { contents: [{ parts: [{ text: 'Hi' }] }] },
  ],
];

describe('passes calls on with the real key, and meters them', () => {
  test.each(conversations)('%s %s %s', async (name, model, path, body) => {
    const lease = await gateway.open(callerOf(name), () => {});
    const answer = await call(name, lease.access.token, path, body);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).toContain('Hello.');
    await waitFor(() => used.length === 1);
    expect(used).toEqual([{ caller: callerOf(name), model, usage: { inputTokens: 11, outputTokens: 3 } }]);
    const headers = JSON.stringify(provider.requests.at(-1)?.headers);
    expect(headers).toContain('real');
    expect(headers).not.toContain(lease.access.token);
    lease.close();
  });
});

describe('refuses', () => {
  test('a token that is closed, unknown, or of another provider', async () => {
    const lease = await gateway.open(callerOf('openai'), () => {});
    const body = { model: 'x', messages: [] };
    expect((await call('anthropic', lease.access.token, '/v1/messages', body)).status).toBe(401);
    expect((await call('openai', 'guessed', '/v1/responses', body)).status).toBe(401);
    lease.close();
    expect((await call('openai', lease.access.token, '/v1/responses', body)).status).toBe(401);
  });

  test.each([
    ['anthropic', 'POST', '/v1/files'],
    ['anthropic', 'POST', '/v1/messages/batches'],
    ['anthropic', 'POST', '/v1/messages/../organizations/keys'],
    ['openai', 'GET', '/v1/organization/users'],
    ['gemini', 'POST', '/v1beta/cachedContents'],
  ] as const)('what an agent does not need: %s %s %s', async (name, method, path) => {
    const lease = await gateway.open(callerOf(name), () => {});
    const before = provider.requests.length;
    expect((await call(name, lease.access.token, path, method === 'POST' ? {} : undefined, method)).status).toBe(403);
    expect(provider.requests.length).toBe(before);
    lease.close();
  });

  test('by budget: 402, and the run hears that it must not go on', async () => {
    const refusals: unknown[] = [];
    const lease = await gateway.open(callerOf('anthropic'), (refusal) => refusals.push(refusal));
    refuseWith = Object.assign(new Error('The budget is spent.'), { code: 'ERR_BUDGET_EXCEEDED', retryAfter: 5000 });
    const answer = await call('anthropic', lease.access.token, '/v1/messages', { model: 'x', messages: [] });
    expect(answer.status).toBe(402);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(JSON.parse(answer.text)).toMatchObject({ error: { type: 'ERR_BUDGET_EXCEEDED' } });
    expect(refusals).toEqual([expect.objectContaining({ reason: 'budget', retryAfter: 5000, cause: refuseWith })]);
    expect(lease.refusal).toBe(refusals[0]);
  });

  test('by limit or breaker: 429 and 503, and the run goes on', async () => {
    const lease = await gateway.open(callerOf('anthropic'), () => {});
    for (const [code, status, reason] of [
      ['ERR_RATE_LIMITED', 429, 'provider-limit'],
      ['ERR_CIRCUIT_OPEN', 503, 'breaker'],
    ] as const) {
      refuseWith = Object.assign(new Error('Later.'), { code, retryAfter: 3000 });
      expect((await call('anthropic', lease.access.token, '/v1/messages', { model: 'x', messages: [] })).status).toBe(
        status,
      );
      expect(lease.trouble).toMatchObject({ reason, retryAfter: 3000 });
    }
    refuseWith = undefined;
    await call('anthropic', lease.access.token, '/v1/messages', { model: 'x', max_tokens: 1, messages: [message] });
    expect([lease.refusal, lease.trouble], 'a call that works ends the trouble').toEqual([undefined, undefined]);
  });

  test('by limit or breaker for longer than an agent should hold its place: the run must not go on', async () => {
    const refusals: unknown[] = [];
    const lease = await gateway.open(callerOf('anthropic'), (refusal) => refusals.push(refusal));
    refuseWith = Object.assign(new Error('Later.'), { code: 'ERR_RATE_LIMITED', retryAfter: 61_000 });
    for (let times = 0; times < 2; times += 1) {
      await call('anthropic', lease.access.token, '/v1/messages', { model: 'x', messages: [] });
    }
    expect(refusals).toMatchObject([{ reason: 'provider-limit', retryAfter: 61_000 }]);
  });
});

test('requests elsewhere are none of its business', async () => {
  expect(await gateway.handle(new Request('http://gateway/v1/runs'))).toBeUndefined();
});
