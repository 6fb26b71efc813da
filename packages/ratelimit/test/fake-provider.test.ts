import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import {
  type FakeProvider,
  type FakeProviderOptions,
  startFakeProvider,
  turns,
  writeFile,
} from '@millrace/ratelimit/testing';
import { Octokit } from 'octokit';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';

let provider: FakeProvider | undefined;
afterEach(async () => {
  await provider?.close();
  provider = undefined;
});

async function start(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  provider = await startFakeProvider(options);
  return provider;
}

const tool = { name: 'Write', description: 'writes', input_schema: { type: 'object' as const, properties: {} } };
const ask = { model: 'claude-sonnet', max_tokens: 100, messages: [{ role: 'user' as const, content: 'hi' }] };

describe('anthropic', () => {
  const client = ({ url }: FakeProvider) => new Anthropic({ baseURL: url, apiKey: 'k', maxRetries: 0 });

  it('answers, with usage and limit headers', async () => {
    const fake = await start({
      respond: () => ({ text: 'hello', usage: { input: 7, output: 3 } }),
      limits: { requests: 10, output: 100 },
    });
    const { data, response } = await client(fake).messages.create(ask).withResponse();
    expect(data.content).toEqual([{ type: 'text', text: 'hello' }]);
    expect(data.usage).toMatchObject({ input_tokens: 7, output_tokens: 3 });
    expect(response.headers.get('anthropic-ratelimit-requests-remaining')).toBe('9');
    expect(response.headers.get('anthropic-ratelimit-output-tokens-remaining')).toBe('97');
  });

  it('streams text and tool calls, in the order of the conversation', async () => {
    const fake = await start({ respond: turns([writeFile('/tmp/x', 'y'), { text: 'Written.' }]) });
    const first = await client(fake)
      .messages.stream({ ...ask, tools: [tool] })
      .finalMessage();
    expect(first.stop_reason).toBe('tool_use');
    expect(first.content).toMatchObject([
      { type: 'tool_use', name: 'Write', input: { file_path: '/tmp/x', content: 'y' } },
    ]);
    const use = first.content[0] as Anthropic.ToolUseBlock;
    const messages: Anthropic.MessageParam[] = [
      ...ask.messages,
      { role: 'assistant', content: first.content as Anthropic.ContentBlockParam[] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'ok' }] },
    ];
    const second = await client(fake)
      .messages.stream({ ...ask, messages, tools: [tool] })
      .finalMessage();
    expect(second.content).toMatchObject([{ type: 'text', text: 'Written.' }]);
  });

  it('enforces its limits with 429 and Retry-After', async () => {
    const fake = await start({ limits: { requests: 2 } });
    await client(fake).messages.create(ask);
    await client(fake).messages.create(ask);
    const error = await client(fake)
      .messages.create(ask)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    expect(
      Number((error as InstanceType<typeof Anthropic.RateLimitError>).headers?.get('retry-after')),
    ).toBeGreaterThan(20);
    expect(fake.stats().byStatus).toEqual({ 200: 2, 429: 1 });
  });

  it('fails on demand', async () => {
    const fake = await start();
    fake.fail({ kind: 'overloaded' });
    await expect(client(fake).messages.create(ask)).rejects.toMatchObject({ status: 529 });
    fake.fail({ kind: 'cut' });
    await expect(client(fake).messages.create(ask)).rejects.toBeInstanceOf(Anthropic.APIConnectionError);
    fake.fail({ kind: 'cut' });
    await expect(client(fake).messages.stream(ask).finalMessage()).rejects.toThrow();
    expect((await client(fake).messages.create(ask)).stop_reason).toBe('end_turn');
  });

  it('knows keys', async () => {
    const fake = await start({ keys: ['other'] });
    await expect(client(fake).messages.create(ask)).rejects.toMatchObject({ status: 401 });
  });
});

describe('openai', () => {
  const client = ({ url }: FakeProvider) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'k', maxRetries: 0 });
  const fn = { type: 'function' as const, name: 'exec_command', parameters: {}, strict: false };

  it('answers and streams responses', async () => {
    const fake = await start({ respond: () => ({ text: 'hello there, this is a longer text', usage: { output: 9 } }) });
    const whole = await client(fake).responses.create({ model: 'gpt', input: 'hi' });
    expect(whole.output_text).toBe('hello there, this is a longer text');
    const stream = client(fake).responses.stream({ model: 'gpt', input: 'hi' });
    let streamed = '';
    stream.on('response.output_text.delta', ({ delta }) => {
      streamed += delta;
    });
    expect((await stream.finalResponse()).usage?.output_tokens).toBe(9);
    expect(streamed).toBe('hello there, this is a longer text');
  });

  it('calls tools in responses', async () => {
    const fake = await start({ respond: turns([writeFile('a.txt', 'hello'), { text: 'Written.' }]) });
    const first = await client(fake)
      .responses.stream({ model: 'gpt', input: 'hi', tools: [fn] })
      .finalResponse();
    const call = first.output[0] as OpenAI.Responses.ResponseFunctionToolCall;
    expect(call).toMatchObject({ type: 'function_call', name: 'exec_command' });
    expect(JSON.parse(call.arguments)).toHaveProperty('cmd');
    const second = await client(fake).responses.create({
      model: 'gpt',
      tools: [fn],
      input: [call, { type: 'function_call_output', call_id: call.call_id, output: 'ok' }],
    });
    expect(second.output_text).toBe('Written.');
  });

  it('answers, streams and calls tools in chat completions', async () => {
    const fake = await start({ respond: turns([{ text: 'let me see', toolCalls: [{ name: 'f', input: { a: 1 } }] }]) });
    const tools = [{ type: 'function' as const, function: { name: 'f' } }];
    const messages = [{ role: 'user' as const, content: 'hi' }];
    const whole = await client(fake).chat.completions.create({ model: 'gpt', messages, tools });
    expect(whole.choices[0]?.message.tool_calls).toMatchObject([{ function: { name: 'f', arguments: '{"a":1}' } }]);
    const stream = client(fake).chat.completions.stream({
      model: 'gpt',
      messages,
      tools,
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'let me see' } });
    expect(final.usage?.total_tokens).toBeGreaterThan(1);
  });

  it('tells "slow down" from "no money"', async () => {
    const fake = await start({ limits: { requests: 1 } });
    const { response } = await client(fake).responses.create({ model: 'gpt', input: 'hi' }).withResponse();
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    await expect(client(fake).responses.create({ model: 'gpt', input: 'hi' })).rejects.toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
    });
    fake.fail({ kind: 'quota' });
    await expect(client(fake).responses.create({ model: 'gpt', input: 'hi' })).rejects.toMatchObject({
      status: 429,
      code: 'insufficient_quota',
    });
  });
});

describe('gemini', () => {
  const client = ({ url }: FakeProvider) => new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: url } });

  it('answers, streams and calls functions', async () => {
    const fake = await start({ respond: turns([writeFile('/tmp/a', 'b')]) });
    const plain = await client(fake).models.generateContent({ model: 'gemini-pro', contents: 'hi' });
    expect(plain.text).toBe('Done.');
    let streamed = '';
    for await (const chunk of await client(fake).models.generateContentStream({
      model: 'gemini-pro',
      contents: 'hi',
    })) {
      streamed += chunk.text ?? '';
    }
    expect(streamed).toBe('Done.');
    const config = { tools: [{ functionDeclarations: [{ name: 'write_file' }] }] };
    const called = await client(fake).models.generateContent({ model: 'gemini-pro', contents: 'hi', config });
    expect(called.functionCalls).toMatchObject([{ name: 'write_file', args: { file_path: '/tmp/a', content: 'b' } }]);
  });
});

describe('github', () => {
  const client = ({ url }: FakeProvider) =>
    new Octokit({ baseUrl: url, auth: 'k', throttle: { enabled: false }, retry: { enabled: false } });
  const repo = { owner: 'acme', repo: 'api' };

  it('answers with limit headers; an unchanged resource is free', async () => {
    const fake = await start();
    const octokit = client(fake);
    const first = await octokit.request('GET /repos/{owner}/{repo}', repo);
    expect(first.headers['x-ratelimit-remaining']).toBe('4999');
    const headers = { 'if-none-match': first.headers.etag ?? '' };
    const again = await octokit.request('GET /repos/{owner}/{repo}', { ...repo, headers }).catch((e: unknown) => e);
    expect(again).toMatchObject({ status: 304 });
    const third = await octokit.request('GET /repos/{owner}/{repo}', repo);
    expect(third.headers['x-ratelimit-remaining']).toBe('4998');
  });

  it('has a primary and a secondary limit', async () => {
    const fake = await start({ github: { primary: 3, writesPerMinute: 1 } });
    const octokit = client(fake);
    const write = () => octokit.request('POST /repos/{owner}/{repo}/issues', { ...repo, title: 't' });
    expect((await write()).status).toBe(201);
    await expect(write()).rejects.toMatchObject({ status: 403, response: { headers: { 'retry-after': '60' } } });
    await octokit.request('GET /repos/{owner}/{repo}', repo);
    await octokit.request('GET /repos/{owner}/{repo}', repo);
    await expect(octokit.request('GET /repos/{owner}/{repo}', repo)).rejects.toMatchObject({
      status: 403,
      response: { headers: { 'x-ratelimit-remaining': '0' } },
    });
  });
});

it('counts the resources of GitHub apart: searches by the minute, GraphQL by points', async () => {
  const { url } = await start({
    github: { search: 1, codeSearch: 1, graphql: 5 },
    githubQuery: () => ({ data: { viewer: {} }, points: 3 }),
  });
  const get = async (path: string) => {
    const { status, headers } = await fetch(`${url}${path}`);
    return [status, headers.get('x-ratelimit-resource'), headers.get('x-ratelimit-remaining')];
  };
  const query = async () => {
    const answer = await fetch(`${url}/graphql`, { method: 'POST', body: '{"query":"{ viewer { login } }"}' });
    return [answer.status, answer.headers.get('x-ratelimit-remaining'), await answer.json()];
  };
  expect(await get('/search/issues?q=x')).toEqual([200, 'search', '0']);
  expect(await get('/search/issues?q=y')).toEqual([403, 'search', '0']);
  expect(await get('/search/code?q=x')).toEqual([200, 'code_search', '0']);
  expect(await get('/repos/a/b')).toEqual([200, 'core', '4999']);
  expect(await query()).toEqual([200, '2', { data: { viewer: {} } }]);
  expect(await query()).toEqual([200, '0', { data: { viewer: {} } }]);
  expect(await query()).toMatchObject([200, '0', { errors: [{ type: 'RATE_LIMITED' }] }]);
});

it('refuses what is not JSON, and does not know other paths', async () => {
  const { url } = await start();
  expect((await fetch(`${url}/v1/messages`, { method: 'POST', body: '{' })).status).toBe(400);
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
});
