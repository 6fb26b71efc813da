import type { LimitOptions } from '../limit-table.ts';
import type { Cost } from '../policy.ts';
import { readRetryAfter } from '../retry-after.ts';
import { type Failure, failureOf, member, numberIn, type ProviderCall, type ProviderPreset } from './preset.ts';

const isWrite = ({ method }: ProviderCall): boolean => method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
const isGraphql = ({ url }: ProviderCall): boolean => url.pathname.endsWith('/graphql');

/** The primary limits by the resource that GitHub names in its headers: units per window. Installations and Enterprise get more; the headers tell. */
const primary: Readonly<Record<string, { readonly name: string; readonly limit: number; readonly windowMs: number }>> =
  {
    core: { name: 'requests', limit: 5_000, windowMs: 3_600_000 },
    graphql: { name: 'graphql', limit: 5_000, windowMs: 3_600_000 },
    search: { name: 'search', limit: 30, windowMs: 60_000 },
    code_search: { name: 'codeSearch', limit: 10, windowMs: 60_000 },
  };

function resourceOf(call: ProviderCall): string {
  if (isGraphql(call)) return 'graphql';
  const path = call.url.pathname;
  if (/\/search\/code$/.test(path)) return 'code_search';
  return /\/search\/[a-z]+$/.test(path) ? 'search' : 'core';
}

/**
 * GitHub's limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api.
 * Primary per resource (REST, GraphQL, search, code search), and the secondary ones: 100 calls at once over REST and GraphQL, 900 points a minute for
 * REST and 2 000 for GraphQL (a read 1, a write 5), 80 content writes a minute and 500 an hour wherever they are made, a second between writes.
 * Breaking the secondary ones goes on an integration's record, so they are kept strictly.
 */
export const githubPreset: ProviderPreset = {
  name: 'github',
  limits: githubLimits,
  defaults: {
    requests: 5_000,
    graphql: 5_000,
    search: 30,
    codeSearch: 10,
    points: 900,
    graphqlPoints: 2_000,
    writesPerMinute: 80,
    writesPerHour: 500,
  },
  scarce: ['search', 'codeSearch', 'writesPerMinute', 'writesPerHour', 'writeSpacing'],
  model: () => undefined,
  cost: (call): Cost => {
    const graphql = isGraphql(call);
    const write = graphql ? /\bmutation\b/.test(String(call.body.query)) : isWrite(call);
    return {
      requests: 0,
      [primary[resourceOf(call)]?.name ?? 'requests']: 1,
      [graphql ? 'graphqlPoints' : 'points']: write ? 5 : 1,
      writes: write ? 1 : 0,
    };
  },
  worstCase: () => ({}),
  usage: () => undefined,
  billed: (usage) => usage,
  report: (headers, now) => {
    const remaining = numberIn(headers, 'x-ratelimit-remaining');
    const limit = numberIn(headers, 'x-ratelimit-limit');
    const resource = headers.get('x-ratelimit-resource') ?? '';
    const known = primary[resource];
    if (remaining === undefined || limit === undefined || known === undefined) return {};
    const report = { limits: { [known.name]: limit }, remaining: { [known.name]: remaining } };
    if (remaining > 0) return report;
    const reset = untilReset(headers, now);
    if (resource === 'core') return { ...report, pauseFor: reset };
    // Only this resource stands still: a debt that has drained when it starts anew.
    return { ...report, remaining: { [known.name]: 1 - Math.ceil((reset * limit) / known.windowMs) } };
  },
  classify: (status, headers, body, now) => {
    const retryAfter = readRetryAfter(headers, now);
    const isSecondary = /secondary rate limit|abuse/i.test(body);
    const exhausted = headers.get('x-ratelimit-remaining') === '0';
    const isLimited = status === 403 && (isSecondary || retryAfter !== undefined || exhausted);
    // A 200 comes here only where its body refuses.
    if (isLimited || status === 429 || status === 200) {
      if (retryAfter !== undefined) return { kind: 'slow', retryAfter };
      if (exhausted && !isSecondary) return usedUp(headers, now);
      return { kind: 'slow', retryAfter: secondaryPauseMs, doubles: true };
    }
    return failureOf(status, retryAfter);
  },
  refuses: async (call, body) => {
    if (!isGraphql(call)) return false;
    const errors = member(await body(), 'errors');
    return Array.isArray(errors) && errors.some(isLimit);
  },
  concurrency: 100,
  prices: undefined,
  etags: true,
};

/**
 * GitHub asks to wait at least a minute when it does not say how long, and exponentially longer while it goes on.
 * https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
 */
const secondaryPauseMs = 60_000;

function isLimit(error: unknown): boolean {
  return member(error, 'type') === 'RATE_LIMITED' || /secondary rate limit/i.test(String(member(error, 'message')));
}

/** REST that is used up stops everybody. Of another resource the report above has made a debt, which only its own calls wait for. */
function usedUp(headers: Headers, now: number): Failure {
  const resource = headers.get('x-ratelimit-resource') ?? 'core';
  return { kind: 'slow', retryAfter: untilReset(headers, now), ofOneLimit: resource !== 'core' };
}

function untilReset(headers: Headers, now: number): number {
  return Math.max(0, (numberIn(headers, 'x-ratelimit-reset') ?? 0) * 1_000 - now);
}

function githubLimits(units: Readonly<Record<string, number>>): LimitOptions[] {
  const { points = 900, graphqlPoints = 2_000, writesPerMinute = 80, writesPerHour = 500 } = units;
  const perResource = Object.values(primary).map(
    ({ name, limit, windowMs }): LimitOptions => ({
      name,
      dimension: name,
      limit: units[name] ?? limit,
      per: windowMs,
      mode: 'mirror',
    }),
  );
  const strict = (name: string, dimension: string, limit: number, per: '1m' | '1h', parts: number): LimitOptions => ({
    name,
    dimension,
    limit,
    per,
    burst: Math.ceil(limit / parts),
  });
  return [
    ...perResource,
    strict('points', 'points', points, '1m', 3),
    strict('graphqlPoints', 'graphqlPoints', graphqlPoints, '1m', 3),
    strict('writesPerMinute', 'writes', writesPerMinute, '1m', 4),
    strict('writesPerHour', 'writes', writesPerHour, '1h', 4),
    { name: 'writeSpacing', dimension: 'writes', limit: 1, per: '1s' },
  ];
}
