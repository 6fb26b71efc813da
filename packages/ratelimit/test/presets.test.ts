import Anthropic from '@anthropic-ai/sdk';
import { memoryStore } from '@millrace/ratelimit';
import { anthropic, anthropicPrices, gemini, openai } from '@millrace/ratelimit/presets';
import type { FakeProvider } from '@millrace/ratelimit/testing';
import { waitFor } from '@millrace/test-support';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { fakeProviders, quick } from './support/provider.ts';

const start = fakeProviders();
const ask = { model: 'claude-sonnet-4', max_tokens: 100, messages: [{ role: 'user' as const, content: 'hi' }] };

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

  it('slows down after a 429 that asks for no pause, too', async () => {
    const provider = await start();
    const factors: number[] = [];
    const instrumentation = { onThrottled: ({ rateFactor }: { rateFactor: number }) => void factors.push(rateFactor) };
    const claude = anthropic({ ...quick, limits: { requests: 1_000 }, adaptive: true, instrumentation });
    provider.fail({ kind: 'rate-limit', retryAfter: 0 });
    await claudeClient(provider, claude.fetch).messages.create(ask);
    expect(factors).toHaveLength(1);
    expect(factors[0]).toBeCloseTo(0.85);
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

  it('holds and books writes to the prompt cache at their price, for an hour at the dearer one', async () => {
    const usage = { input: 1_000, output: 0, cacheWrite: 800, cacheWriteHour: 500 };
    const provider = await start({ respond: () => ({ usage }) });
    const claude = anthropic({ ...quick, budget: { scopes: [{ name: 'all', cap: 10_000_000 }] } });
    const client = claudeClient(provider, claude.fetch);
    const cached = (ttl: '5m' | '1h') => ({
      ...ask,
      max_tokens: 1,
      system: [{ type: 'text' as const, text: 'x'.repeat(4_000), cache_control: { type: 'ephemeral' as const, ttl } }],
    });
    const held: number[] = [];
    provider.respond(async () => {
      held.push((await claude.budget?.status())?.[0]?.held ?? 0);
      return { usage };
    });
    await client.messages.create(cached('5m'));
    await client.messages.stream(cached('1h')).finalMessage();
    await waitFor(async () => (await claude.budget?.status())?.[0]?.held === 0);
    const input = Math.ceil(JSON.stringify(cached('5m')).length / 4);
    expect(held[0]).toBeGreaterThanOrEqual(input * 3 * 1.25);
    expect(held[1]).toBeGreaterThanOrEqual(input * 3 * 2);
    expect(await claude.budget?.status()).toMatchObject([{ spent: 2 * (200 * 3 + 300 * 3.75 + 500 * 6) }]);
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
