import type { Cost } from '../policy.ts';
import { readRetryAfter } from '../retry-after.ts';
import { perMinute } from './language-model.ts';
import { inputEstimate, member, numberAt, numbersIn, type ProviderPreset, parseJson } from './preset.ts';
import { anthropicPrices } from './price-tables.ts';

const headerNames = { requests: 'requests', input: 'input-tokens', output: 'output-tokens' };

function named(suffix: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headerNames).map(([name, part]) => [name, `anthropic-ratelimit-${part}-${suffix}`]),
  );
}

const limitHeaders = named('limit');
const remainingHeaders = named('remaining');

/**
 * Anthropic's Messages API: https://docs.anthropic.com/en/api/rate-limits and /en/api/errors.
 * Requests, uncached input tokens and output tokens per minute and model, as token buckets.
 */
export const anthropicPreset: ProviderPreset = {
  name: 'anthropic',
  limits: perMinute,
  defaults: {},
  model: ({ body }) => (typeof body.model === 'string' ? body.model : undefined),
  cost: (call) => ({ requests: 1, input: inputEstimate(call) }),
  worstCase: (call) => ({ input: inputEstimate(call), output: numberAt(call.body, 'max_tokens') ?? 4_096 }),
  usage: readUsage,
  billed: (usage) => ({ ...usage, input: (usage.input ?? 0) + (usage.cacheRead ?? 0) }),
  report: (headers) => ({ limits: numbersIn(headers, limitHeaders), remaining: numbersIn(headers, remainingHeaders) }),
  classify: (status, headers, body, now) => {
    const error = member(parseJson(body), 'error');
    const type = member(error, 'type');
    const retryAfter = readRetryAfter(headers, now);
    if (type === 'billing_error' || /credit balance/i.test(String(member(error, 'message'))))
      return { kind: 'quota', retryAfter };
    if (status === 429) return { kind: 'slow', retryAfter };
    if (status === 529 || status === 503 || type === 'overloaded_error') return { kind: 'overloaded', retryAfter };
    if (status === 401 || status === 403) return { kind: 'auth', retryAfter };
    return { kind: status >= 500 ? 'server' : 'fatal', retryAfter };
  },
  concurrency: undefined,
  prices: anthropicPrices,
  etags: false,
};

/** Cached input does not count against the input limit, but it costs money: `input` is for the limit, the rest for the price. */
function readUsage(data: unknown): Cost | undefined {
  const usage = member(data, 'usage') ?? member(data, 'message', 'usage');
  if (usage === undefined) return undefined;
  const cacheRead = numberAt(usage, 'cache_read_input_tokens');
  const cacheWrite = numberAt(usage, 'cache_creation_input_tokens');
  const plain = numberAt(usage, 'input_tokens');
  const output = numberAt(usage, 'output_tokens');
  return {
    ...(plain === undefined ? {} : { input: plain + (cacheWrite ?? 0) }),
    ...(output === undefined ? {} : { output }),
    ...(cacheRead === undefined ? {} : { cacheRead }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
  };
}
