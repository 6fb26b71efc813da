import { type Estimator, learnedEstimate } from '../estimate.ts';
import type { Cost } from '../policy.ts';
import { readRetryAfter } from '../retry-after.ts';
import { perMinute } from './language-model.ts';
import { failureOf, inputEstimate, member, numberAt, numbersIn, type ProviderPreset, parseJson } from './preset.ts';
import { openaiPrices } from './price-tables.ts';

const limitHeaders = { requests: 'x-ratelimit-limit-requests', tokens: 'x-ratelimit-limit-tokens' };
const remainingHeaders = { requests: 'x-ratelimit-remaining-requests', tokens: 'x-ratelimit-remaining-tokens' };
const outOfMoney = new Set(['insufficient_quota', 'billing_hard_limit_reached', 'billing_not_active']);

/**
 * OpenAI's Responses and Chat Completions: https://platform.openai.com/docs/guides/rate-limits and /docs/guides/error-codes.
 * Requests and tokens (input and output together) per minute and model. A 429 may also mean that the money is used up.
 */
export const openaiPreset: ProviderPreset = {
  name: 'openai',
  limits: (units) =>
    perMinute(units).map((limit) =>
      limit.name === 'tokens' ? { ...limit, estimate: onTopOfInput(learnedEstimate()) } : limit,
    ),
  defaults: {},
  model: ({ body }) => (typeof body.model === 'string' ? body.model : undefined),
  cost: (call) => ({ requests: 1, input: inputEstimate(call) }),
  worstCase: (call) => ({ input: inputEstimate(call), output: maxOutput(call.body) ?? 4_096 }),
  usage: readUsage,
  billed: (usage) => usage,
  report: (headers) => ({ limits: numbersIn(headers, limitHeaders), remaining: numbersIn(headers, remainingHeaders) }),
  classify: (status, headers, body, now) => {
    const code = String(member(parseJson(body), 'error', 'code'));
    const retryAfter = readRetryAfter(headers, now) ?? longestReset(headers);
    if (outOfMoney.has(code)) return { kind: 'quota', retryAfter: undefined };
    return failureOf(status, retryAfter);
  },
  concurrency: undefined,
  prices: openaiPrices,
  etags: false,
};

/** Input and output count together: the input is known before the call, the output is learned. */
function onTopOfInput(output: Estimator): Estimator {
  return {
    ...output,
    estimate: (ctx) => (ctx.cost.input ?? 0) + output.estimate(ctx),
    learn: (ctx, actual) => output.learn(ctx, Math.max(0, actual - (ctx.cost.input ?? 0))),
  };
}

function maxOutput(body: unknown): number | undefined {
  return numberAt(body, 'max_output_tokens') ?? numberAt(body, 'max_completion_tokens') ?? numberAt(body, 'max_tokens');
}

function readUsage(data: unknown): Cost | undefined {
  const usage = member(data, 'usage') ?? member(data, 'response', 'usage');
  const input = numberAt(usage, 'input_tokens') ?? numberAt(usage, 'prompt_tokens');
  const output = numberAt(usage, 'output_tokens') ?? numberAt(usage, 'completion_tokens');
  if (input === undefined && output === undefined) return undefined;
  const cacheRead =
    numberAt(usage, 'input_tokens_details', 'cached_tokens') ??
    numberAt(usage, 'prompt_tokens_details', 'cached_tokens');
  return { tokens: (input ?? 0) + (output ?? 0), input: input ?? 0, output: output ?? 0, cacheRead: cacheRead ?? 0 };
}

/** `x-ratelimit-reset-*` are durations such as `1s`, `6m0s` or `20ms`. */
function longestReset(headers: Headers): number | undefined {
  const resets = ['requests', 'tokens']
    .filter((name) => headers.get(`x-ratelimit-remaining-${name}`) === '0')
    .map((name) => parseReset(headers.get(`x-ratelimit-reset-${name}`) ?? ''));
  return resets.length === 0 ? undefined : Math.max(...resets);
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Reads a duration such as `6m0s` as milliseconds. */
export function parseReset(value: string): number {
  let total = 0;
  for (const [, number, unit] of value.matchAll(/([\d.]+)(ms|h|m|s)/g))
    total += Number(number) * (unitMs[unit ?? ''] ?? 0);
  return total;
}
