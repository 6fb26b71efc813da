import type { LimitOptions } from '../limit-table.ts';
import type { Cost } from '../policy.ts';
import { readRetryAfter } from '../retry-after.ts';
import { numberIn, type ProviderCall, type ProviderPreset } from './preset.ts';

const isWrite = ({ method }: ProviderCall): boolean => method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
const isGraphql = ({ url }: ProviderCall): boolean => url.pathname.endsWith('/graphql');

/**
 * GitHub's REST limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api.
 * Primary per hour, and the secondary ones: 100 at once, 900 points a minute (a read 1, a write 5), 80 content writes a minute and 500 an hour,
 * a second between writes. Breaking the secondary ones goes on an integration's record, so they are kept strictly.
 */
export const githubPreset: ProviderPreset = {
  name: 'github',
  limits: githubLimits,
  defaults: { requests: 5_000, points: 900, writesPerMinute: 80, writesPerHour: 500 },
  model: () => undefined,
  cost: (call): Cost => {
    const write = isWrite(call);
    if (isGraphql(call)) return { requests: 0, points: /\bmutation\b/.test(String(call.body.query)) ? 5 : 1 };
    return { requests: 1, points: write ? 5 : 1, writes: write ? 1 : 0 };
  },
  worstCase: () => ({}),
  usage: () => undefined,
  billed: (usage) => usage,
  report: (headers, now) => {
    const remaining = numberIn(headers, 'x-ratelimit-remaining');
    const limit = numberIn(headers, 'x-ratelimit-limit');
    if (remaining === undefined || limit === undefined || headers.get('x-ratelimit-resource') !== 'core') return {};
    const report = { limits: { requests: limit }, remaining: { requests: remaining } };
    return remaining > 0 ? report : { ...report, pauseFor: untilReset(headers, now) };
  },
  classify: (status, headers, body, now) => {
    const retryAfter = readRetryAfter(headers, now);
    const isSecondary = /secondary rate limit|abuse/i.test(body);
    const exhausted = headers.get('x-ratelimit-remaining') === '0';
    if (status === 429 || (status === 403 && (isSecondary || retryAfter !== undefined || exhausted))) {
      const wait = retryAfter ?? (exhausted && !isSecondary ? untilReset(headers, now) : secondaryPauseMs);
      return { kind: 'slow', retryAfter: wait };
    }
    if (status === 401 || status === 403) return { kind: 'auth', retryAfter };
    if (status === 503) return { kind: 'overloaded', retryAfter };
    return { kind: status >= 500 ? 'server' : 'fatal', retryAfter };
  },
  concurrency: 100,
  prices: undefined,
  etags: true,
};

/** GitHub asks to wait at least a minute when it does not say how long. */
const secondaryPauseMs = 60_000;

function untilReset(headers: Headers, now: number): number {
  return Math.max(0, (numberIn(headers, 'x-ratelimit-reset') ?? 0) * 1_000 - now);
}

function githubLimits(units: Readonly<Record<string, number>>): LimitOptions[] {
  const { requests = 5_000, points = 900, writesPerMinute = 80, writesPerHour = 500 } = units;
  return [
    { name: 'requests', limit: requests, per: '1h', mode: 'mirror' },
    { name: 'points', dimension: 'points', limit: points, per: '1m', burst: Math.ceil(points / 3) },
    {
      name: 'writesPerMinute',
      dimension: 'writes',
      limit: writesPerMinute,
      per: '1m',
      burst: Math.ceil(writesPerMinute / 4),
    },
    {
      name: 'writesPerHour',
      dimension: 'writes',
      limit: writesPerHour,
      per: '1h',
      burst: Math.ceil(writesPerHour / 4),
    },
    { name: 'writeSpacing', dimension: 'writes', limit: 1, per: '1s' },
  ];
}
