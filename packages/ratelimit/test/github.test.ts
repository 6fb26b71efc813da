import { memoryStore } from '@millrace/ratelimit';
import { github, githubPreset } from '@millrace/ratelimit/presets';
import type { FakeProvider } from '@millrace/ratelimit/testing';
import { manualClock, waitFor } from '@millrace/test-support';
import { Octokit } from 'octokit';
import { expect, it } from 'vitest';
import { fakeProviders, quick } from './support/provider.ts';

const start = fakeProviders();
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
  const secondary = githubPreset.classify(403, new Headers(), 'You have exceeded a secondary rate limit.', 0);
  expect(secondary).toEqual({ kind: 'slow', retryAfter: 60_000, doubles: true });
  const told = githubPreset.classify(429, new Headers({ 'retry-after': '7' }), 'a secondary rate limit', 0);
  expect(told).toEqual({ kind: 'slow', retryAfter: 7_000 });
  const reset = new Headers({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '100' });
  expect(githubPreset.classify(403, reset, '', 40_000)).toEqual({
    kind: 'slow',
    retryAfter: 60_000,
    ofOneLimit: false,
  });
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

it('the doubling is the fleet’s: a process goes on from where another one was refused, and a success ends it for all', async () => {
  const clock = manualClock();
  const store = memoryStore({ clock });
  let refused = true;
  const fetch = async (): Promise<Response> =>
    refused
      ? new Response('{"message":"You have exceeded a secondary rate limit."}', { status: 403 })
      : new Response('{}', { headers: { 'content-type': 'application/json' } });
  const [a, b] = [1, 2].map(() => github({ store, clock, fetch, retry: false }));
  const pauseAfter = async (hub = a): Promise<number> => {
    await hub?.fetch('https://api.github.com/repos/a/b');
    return Math.round(((await hub?.stats())?.github?.pausedFor ?? 0) / 1_000);
  };
  expect(await pauseAfter(a)).toBe(60);
  await clock.advance(60_000);
  expect(await pauseAfter(b)).toBe(120);
  await clock.advance(120_000);
  refused = false;
  expect(await pauseAfter(a)).toBe(0);
  refused = true;
  expect(await pauseAfter(b)).toBe(60);
});

it('GraphQL that is used up refuses with a 200: its calls wait, and nobody else', async () => {
  const clock = manualClock();
  const data = { viewer: { login: 'octocat' } };
  const provider = await start({ clock, github: { graphql: 10 }, githubQuery: () => ({ data, points: 6 }) });
  const hub = github({ ...quick, clock, maxWait: '2h' });
  const body = JSON.stringify({ query: '{ viewer { login } }' });
  const query = (fetch = hub.fetch) => fetch(`${provider.url}/graphql`, { method: 'POST', body });
  // Somebody else uses the hour up.
  await query(globalThis.fetch);
  await query(globalThis.fetch);
  const waiting = query();
  await waitFor(async () => {
    await clock.advance(10);
    return hub.line().length === 1;
  });
  expect(hub.line()).toMatchObject([{ waitingFor: 'graphql' }]);
  expect((await hub.fetch(`${provider.url}/repos/a/b`)).ok).toBe(true);
  await clock.advance(7_200_000);
  expect(await (await waiting).json()).toEqual({ data });
  expect(provider.stats().byStatus).toEqual({ 200: 5 });
});
