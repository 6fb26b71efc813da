import Anthropic from '@anthropic-ai/sdk';
import { memoryStore } from '@millrace/ratelimit';
import { anthropic, anthropicPrices, gemini, github, openai, type ProviderOptions } from '@millrace/ratelimit/presets';
import { type FakeProvider, type FakeProviderOptions, startFakeProvider } from '@millrace/ratelimit/testing';
import { manualClock, waitFor } from '@millrace/test-support';
import { Octokit } from 'octokit';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';

let fake: FakeProvider | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  fake = await startFakeProvider(options);
  return fake;
}

const ask = { model: 'claude-sonnet-4', max_tokens: 100, messages: [{ role: 'user' as const, content: 'hi' }] };
const quick: ProviderOptions = { retry: { maxAttempts: 6, backoff: () => 5 } };

function claudeClient({ url }: FakeProvider, fetch: ReturnType<typeof anthropic>['fetch']): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: 'k', maxRetries: 0, fetch });
}

describe('anthropic', () => {
  it('learns the limits from the headers', async () => {
    const provider = await start({ limits: { requests: 600, output: 60_000 } });
    const claude = anthropic(quick);
    expect(await claude.stats()).toEqual({});
    await claudeClient(provider, claude.fetch).messages.create(ask);
    const stats = (await claude.stats())['anthropic/claude-sonnet-4'];
    expect(Object.keys(stats?.remaining ?? {})).toEqual(['requests', 'output']);
  });

  it('waits out a 429 for everybody, and the SDK never sees it', async () => {
    const provider = await start();
    const claude = anthropic({ ...quick, limits: { requests: 1_000 } });
    const client = claudeClient(provider, claude.fetch);
    provider.fail({ kind: 'rate-limit', retryAfter: 2 });
    const first = client.messages.create(ask);
    await waitFor(() => claude.line().length === 1);
    const second = client.messages.create(ask);
    await waitFor(() => claude.line().length === 2);
    expect(provider.requests).toHaveLength(1);
    expect(claude.line().map(({ waitingFor }) => waitingFor)).toEqual(['pause', 'pause']);
    expect((await first).stop_reason).toBe('end_turn');
    expect((await second).stop_reason).toBe('end_turn');
    expect(provider.stats().byStatus).toEqual({ 429: 1, 200: 2 });
  });

  it('settles what a stream has used, and passes the stream on unchanged', async () => {
    const provider = await start({
      respond: () => ({ text: 'a text of some length, to be streamed', usage: { input: 50, output: 400 } }),
    });
    const claude = anthropic({ ...quick, limits: { requests: 100, input: 100_000, output: 10_000 } });
    const message = await claudeClient(provider, claude.fetch).messages.stream(ask).finalMessage();
    expect(message.content).toMatchObject([{ text: 'a text of some length, to be streamed' }]);
    const stats = (await claude.stats())['anthropic/claude-sonnet-4'];
    // The bucket holds half of the limit; 400 were used, whatever was reserved.
    expect(stats?.remaining.output).toBeGreaterThanOrEqual(4_590);
    expect(stats?.remaining.output).toBeLessThan(4_700);
  });

  it('retries overload and network failures, not bad requests, and gives the SDK its own errors', async () => {
    const provider = await start();
    const client = claudeClient(provider, anthropic(quick).fetch);
    provider.fail({ kind: 'overloaded', times: 2 });
    provider.fail({ kind: 'cut' });
    await client.messages.create(ask);
    expect(provider.requests).toHaveLength(4);
    provider.fail({ kind: 'bad-request' });
    await expect(client.messages.create(ask)).rejects.toBeInstanceOf(Anthropic.BadRequestError);
    expect(provider.requests).toHaveLength(5);
  });

  it('opens the breaker when the provider is down', async () => {
    const provider = await start();
    const claude = anthropic({ retry: false, breaker: { minCalls: 5, openFor: '1m' } });
    const client = claudeClient(provider, claude.fetch);
    provider.fail({ kind: 'server', times: 100 });
    for (let i = 0; i < 5; i++) await expect(client.messages.create(ask)).rejects.toMatchObject({ status: 500 });
    const refused = await client.messages.create(ask).catch((e: unknown) => e);
    expect(refused).toMatchObject({ cause: { code: 'ERR_CIRCUIT_OPEN' } });
    expect(provider.requests).toHaveLength(5);
    expect(claude.breaker?.state('anthropic/claude-sonnet-4')).toBe('open');
  });

  it('books money per tenant: the real cost of answers and streams, nothing for failures', async () => {
    const provider = await start({ respond: () => ({ usage: { input: 1_000, output: 100 } }) });
    const scopes = [
      { name: 'tenant', of: (ctx: { tenant: string | undefined }) => ctx.tenant, cap: 100_000, per: 'day' as const },
    ];
    const claude = anthropic({ ...quick, budget: { scopes } });
    const client = claudeClient(provider, claude.with({ tenant: 'acme' }));
    await client.messages.create(ask);
    await client.messages.stream(ask).finalMessage();
    provider.fail({ kind: 'bad-request' });
    await client.messages.create(ask).catch(() => {});
    await new Promise(setImmediate);
    // 1 000 input at 3 USD and 100 output at 15 USD per million tokens: 4 500 micro-USD, twice.
    expect(await claude.budget?.status({ tenant: 'acme' })).toMatchObject([{ spent: 9_000, held: 0 }]);
    const poor = claudeClient(provider, claude.with({ tenant: 'acme' }));
    const refused = await poor.messages.create({ ...ask, max_tokens: 8_000 }).catch((e: unknown) => e);
    expect(refused).toMatchObject({ cause: { code: 'ERR_BUDGET_EXCEEDED' } });
  });

  it('refuses a model that no budget could cover, and takes prices of yours', async () => {
    const provider = await start();
    const budget = { scopes: [{ name: 'all', cap: 100_000 }] };
    const unknown = { ...ask, model: 'claude-next' };
    const client = claudeClient(provider, anthropic({ ...quick, budget }).fetch);
    const refused = await client.messages.create(unknown).catch((e: unknown) => e);
    expect(refused).toMatchObject({ cause: { code: 'ERR_UNKNOWN_PRICE', model: 'claude-next' } });
    expect(provider.requests).toHaveLength(0);
    const models = { ...anthropicPrices.models, 'claude-next': { input: 1, output: 1 } };
    const claude = anthropic({ ...quick, budget, prices: { ...anthropicPrices, models } });
    await claudeClient(provider, claude.fetch).messages.create(unknown);
  });

  it('an aborted stream that nobody reads to its end frees its money and its place', async () => {
    const provider = await start({
      respond: () => ({ text: 'word '.repeat(2_000), usage: { input: 10, output: 10 } }),
    });
    const claude = anthropic({ ...quick, concurrency: 1, budget: { scopes: [{ name: 'all', cap: 1_000_000 }] } });
    const controller = new AbortController();
    const body = JSON.stringify({ ...ask, stream: true });
    const init = { method: 'POST', body, signal: controller.signal };
    const response = await claude.fetch(`${provider.url}/v1/messages`, init);
    expect(response.ok).toBe(true);
    expect((await claude.budget?.status())?.[0]?.held).toBeGreaterThan(0);
    controller.abort();
    await waitFor(async () => (await claude.budget?.status())?.[0]?.held === 0);
    await claudeClient(provider, claude.fetch).messages.create(ask);
  });

  it('answers equal requests of one tenant from the cache, streams too', async () => {
    const provider = await start({ respond: () => ({ text: `${provider.requests.length}` }) });
    const claude = anthropic({ ...quick, cache: { ttl: '1m' } });
    const mine = claudeClient(provider, claude.with({ tenant: 'a' }));
    const theirs = claudeClient(provider, claude.with({ tenant: 'b' }));
    const exact = { ...ask, temperature: 0 };
    const first = await mine.messages.create(exact);
    expect(await mine.messages.create(exact)).toEqual(first);
    expect((await theirs.messages.create(exact)).content).toMatchObject([{ text: '2' }]);
    await mine.messages.stream(exact).finalMessage();
    const replayed = await mine.messages.stream(exact).finalMessage();
    expect(replayed.content).toMatchObject([{ text: '3' }]);
    expect(provider.requests).toHaveLength(3);
    await mine.messages.create(ask);
    expect(provider.requests).toHaveLength(4);
  });

  it('an abort ends the wait and leaves nothing behind', async () => {
    const provider = await start();
    const claude = anthropic({ limits: { requests: 2 }, concurrency: 5 });
    const client = claudeClient(provider, claude.fetch);
    await client.messages.create(ask);
    const controller = new AbortController();
    const waiting = client.messages.create(ask, { signal: controller.signal }).catch((e: unknown) => e);
    await waitFor(() => claude.line().length === 1);
    expect(claude.line()).toMatchObject([{ waitingFor: 'requests' }]);
    controller.abort();
    expect(await waiting).toBeInstanceOf(Anthropic.APIUserAbortError);
    expect(claude.line()).toEqual([]);
    expect(provider.requests).toHaveLength(1);
  });
});

describe('openai', () => {
  const client = ({ url }: FakeProvider, fetch: ReturnType<typeof openai>['fetch']) =>
    new OpenAI({ baseURL: `${url}/v1`, apiKey: 'k', maxRetries: 0, fetch });

  it('answers and streams, and settles both', async () => {
    const provider = await start({ respond: () => ({ text: 'hello', usage: { input: 10, output: 90 } }) });
    const gpt = openai({ ...quick, limits: { requests: 100, tokens: 10_000 } });
    const sdk = client(provider, gpt.fetch);
    expect((await sdk.responses.create({ model: 'gpt-5', input: 'hi' })).output_text).toBe('hello');
    await sdk.responses.stream({ model: 'gpt-5', input: 'hi' }).finalResponse();
    const messages = [{ role: 'user' as const, content: 'hi' }];
    await sdk.chat.completions
      .stream({ model: 'gpt-5', messages, stream_options: { include_usage: true } })
      .finalChatCompletion();
    const remaining = (await gpt.stats())['openai/gpt-5']?.remaining.tokens ?? 0;
    expect(remaining).toBeGreaterThanOrEqual(4_690);
    expect(remaining).toBeLessThan(4_900);
  });

  it('tells "out of money" at once instead of waiting', async () => {
    const provider = await start();
    const alarms: string[] = [];
    const gpt = openai({ ...quick, onQuota: ({ kind }) => alarms.push(kind) });
    provider.fail({ kind: 'quota', times: 9 });
    await expect(client(provider, gpt.fetch).responses.create({ model: 'gpt-5', input: 'hi' })).rejects.toMatchObject({
      code: 'insufficient_quota',
    });
    expect(provider.requests).toHaveLength(1);
    expect(alarms).toEqual(['quota']);
  });

  it('shares what it learns between processes', async () => {
    const provider = await start();
    const store = memoryStore();
    const here = openai({ ...quick, store, limits: { requests: 100 } });
    const there = openai({ ...quick, store, limits: { requests: 100 } });
    provider.fail({ kind: 'rate-limit', retryAfter: 2 });
    const first = client(provider, here.fetch).responses.create({ model: 'gpt-5', input: 'hi' });
    await waitFor(() => here.line().length === 1);
    const second = client(provider, there.fetch).responses.create({ model: 'gpt-5', input: 'hi' });
    await waitFor(() => there.line().length === 1);
    expect(provider.requests).toHaveLength(1);
    await Promise.all([first, second]);
    expect(provider.stats().byStatus).toEqual({ 429: 1, 200: 2 });
  });
});

describe('gemini', () => {
  it('works by URL and settles the usage', async () => {
    const provider = await start({ respond: () => ({ usage: { input: 300, output: 5 } }) });
    const { fetch, stats } = gemini({ ...quick, limits: { requests: 100, input: 10_000 } });
    const url = `${provider.url}/v1beta/models/gemini-2.5-pro:generateContent?key=k`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ contents: [] }) });
    expect(await answer.json()).toMatchObject({ usageMetadata: { promptTokenCount: 300 } });
    expect((await stats())['gemini/gemini-2.5-pro']?.remaining.input).toBeLessThan(4_720);
  });

  it('reads RetryInfo, and knows a daily quota', async () => {
    const { geminiPreset } = await import('@millrace/ratelimit/presets');
    const body = (details: unknown) => JSON.stringify({ error: { code: 429, details } });
    const retry = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '17s' }];
    expect(geminiPreset.classify(429, new Headers(), body(retry), 0)).toEqual({ kind: 'slow', retryAfter: 17_000 });
    const daily = [{ violations: [{ quotaId: 'GenerateRequestsPerDayPerProject' }] }];
    expect(geminiPreset.classify(429, new Headers(), body(daily), 0).kind).toBe('quota');
  });
});

describe('github', () => {
  const repo = { owner: 'acme', repo: 'api' };
  const client = ({ url }: FakeProvider, fetch: ReturnType<typeof github>['fetch']) =>
    new Octokit({
      baseUrl: url,
      auth: 'k',
      throttle: { enabled: false },
      retry: { enabled: false },
      request: { fetch },
    });

  it('revalidates with ETags for free', async () => {
    const provider = await start();
    const octokit = client(provider, github(quick).fetch);
    const first = await octokit.request('GET /repos/{owner}/{repo}', repo);
    const second = await octokit.request('GET /repos/{owner}/{repo}', repo);
    expect(second.data).toEqual(first.data);
    expect(second.headers['x-ratelimit-remaining']).toBe('4999');
    expect(provider.stats().byStatus).toEqual({ 200: 1, 304: 1 });
  });

  it('keeps a second between writes', async () => {
    const provider = await start();
    const hub = github(quick);
    const octokit = client(provider, hub.fetch);
    const write = () => octokit.request('POST /repos/{owner}/{repo}/issues', { ...repo, title: 't' });
    const both = [write(), write()];
    await waitFor(() => hub.line().length === 1);
    expect(hub.line()).toMatchObject([{ waitingFor: 'writeSpacing' }]);
    await Promise.all(both);
    expect(provider.stats().byStatus).toEqual({ 201: 2 });
  });

  it('stops the whole installation when the hour is used up, until its reset', async () => {
    const provider = await start({ github: { primary: 2 } });
    const hub = github({ ...quick, maxWait: 100 });
    const octokit = client(provider, hub.fetch);
    await octokit.request('GET /repos/{owner}/{repo}', { ...repo, repo: 'a' });
    await octokit.request('GET /repos/{owner}/{repo}', { ...repo, repo: 'b' });
    const refused = await octokit.request('GET /repos/{owner}/{repo}', { ...repo, repo: 'c' }).catch((e: unknown) => e);
    expect(provider.requests).toHaveLength(2);
    expect((await hub.stats()).github?.pausedFor).toBeGreaterThan(3_000_000);
    expect(String(refused)).toContain('exhausted');
  });

  it('counts each resource on its own, and writes wherever they are made', async () => {
    const { githubPreset } = await import('@millrace/ratelimit/presets');
    const cost = (method: string, path: string, query?: string) => {
      const url = new URL(path, 'https://api.github.com');
      const body: Record<string, unknown> = query === undefined ? {} : { query };
      return githubPreset.cost({ method, url, headers: new Headers(), body, bodyLength: 0 });
    };
    expect(cost('GET', '/repos/a/b')).toEqual({ requests: 1, points: 1, writes: 0 });
    expect(cost('POST', '/repos/a/b/issues')).toEqual({ requests: 1, points: 5, writes: 1 });
    expect(cost('GET', '/search/issues?q=x')).toEqual({ requests: 0, search: 1, points: 1, writes: 0 });
    expect(cost('GET', '/search/code?q=x')).toEqual({ requests: 0, codeSearch: 1, points: 1, writes: 0 });
    const query = { requests: 0, graphql: 1, graphqlPoints: 1, writes: 0 };
    expect(cost('POST', '/graphql', '{ viewer { login } }')).toEqual(query);
    const mutation = cost('POST', '/graphql', 'mutation { addStar(input: {}) { id } }');
    expect(mutation).toEqual({ ...query, graphqlPoints: 5, writes: 1 });
  });

  it('a search that is used up stops searches until its reset, and nothing else', async () => {
    const clock = manualClock();
    let searches = 0;
    const fetch = async (url: string | URL | Request): Promise<Response> => {
      const resource = String(url).includes('/search/') ? 'search' : 'core';
      searches += resource === 'search' ? 1 : 0;
      const left = { search: ['30', String(30 - searches * 15)], core: ['5000', '4999'] }[resource] as [string, string];
      const reset = String(Math.ceil(clock.now() / 1_000) + 40);
      const [limit, remaining] = left;
      return new Response('[]', {
        headers: {
          'content-type': 'application/json',
          'x-ratelimit-resource': resource,
          'x-ratelimit-limit': limit,
          'x-ratelimit-remaining': remaining,
          'x-ratelimit-reset': reset,
        },
      });
    };
    const hub = github({ ...quick, clock, fetch });
    const search = () => hub.fetch('https://api.github.com/search/issues?q=x');
    await search();
    await search();
    const third = search();
    await clock.advance(0);
    expect(hub.line()).toMatchObject([{ waitingFor: 'search' }]);
    expect(hub.line()[0]?.eta).toBeGreaterThan(37_000);
    expect(hub.line()[0]?.eta).toBeLessThanOrEqual(42_000);
    expect((await hub.fetch('https://api.github.com/repos/a/b')).ok).toBe(true);
    await clock.advance(42_000);
    expect((await third).ok).toBe(true);
  });

  it('treats a secondary limit as a pause for everybody, a missing right as final', async () => {
    const { githubPreset } = await import('@millrace/ratelimit/presets');
    const secondary = githubPreset.classify(403, new Headers(), 'You have exceeded a secondary rate limit.', 0);
    expect(secondary).toEqual({ kind: 'slow', retryAfter: 60_000, doubles: true });
    const told = githubPreset.classify(429, new Headers({ 'retry-after': '7' }), 'a secondary rate limit', 0);
    expect(told).toEqual({ kind: 'slow', retryAfter: 7_000 });
    const reset = new Headers({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '100' });
    expect(githubPreset.classify(403, reset, '', 40_000)).toEqual({ kind: 'slow', retryAfter: 60_000 });
    expect(githubPreset.classify(403, new Headers(), 'Resource not accessible', 0).kind).toBe('auth');
    expect(githubPreset.classify(422, new Headers(), 'Validation failed', 0).kind).toBe('fatal');
  });

  it('doubles the pause while a secondary limit says no again, and starts anew after a success', async () => {
    const clock = manualClock();
    const sent: number[] = [];
    const refusals = new Set([0, 1, 2]);
    const fetch = async (): Promise<Response> => {
      const refused = refusals.has(sent.length);
      sent.push(clock.now());
      if (!refused) return new Response('{}', { headers: { 'content-type': 'application/json' } });
      return new Response('{"message":"You have exceeded a secondary rate limit."}', { status: 403 });
    };
    const hub = github({ ...quick, clock, fetch, maxWait: '1h', retry: { maxAttempts: 10, backoff: () => 0 } });
    const get = () => hub.fetch('https://api.github.com/repos/a/b');
    const pauses = async (answers: number): Promise<number[]> => {
      const before = sent.length;
      let done = 0;
      for (let i = 0; i < answers; i++) void get().then(() => (done += 1));
      for (let minute = 0; minute < 60 && done < answers; minute++) await clock.advance(60_000);
      expect(done).toBe(answers);
      return sent.slice(before + 1).map((at, i) => Math.round((at - (sent[before + i] ?? 0)) / 60_000));
    };
    // The first two were sent together: they are one refusal.
    expect(await pauses(2)).toEqual([0, 1, 2, 0]);
    refusals.add(5).add(6).add(7);
    expect(await pauses(1)).toEqual([1, 2, 4]);
  });
});
