import type { Cost } from '../policy.ts';
import { readRetryAfter } from '../retry-after.ts';
import { perMinute } from './language-model.ts';
import {
  failureOf,
  inputEstimate,
  member,
  numberAt,
  numbersIn,
  type ProviderCall,
  type ProviderPreset,
  parseJson,
} from './preset.ts';
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
  worstCase: (call) => ({
    ...worstCacheWrites(call),
    input: inputEstimate(call),
    output: numberAt(call.body, 'max_tokens') ?? 4_096,
  }),
  usage: readUsage,
  billed: (usage) => ({ ...usage, input: (usage.input ?? 0) + (usage.cacheRead ?? 0) }),
  report: (headers) => ({ limits: numbersIn(headers, limitHeaders), remaining: numbersIn(headers, remainingHeaders) }),
  classify: (status, headers, body, now) => {
    const error = member(parseJson(body), 'error');
    const type = member(error, 'type');
    const retryAfter = readRetryAfter(headers, now);
    if (type === 'billing_error' || /credit balance/i.test(String(member(error, 'message'))))
      return { kind: 'quota', retryAfter };
    if (type === 'overloaded_error') return { kind: 'overloaded', retryAfter };
    return failureOf(status, retryAfter);
  },
  concurrency: undefined,
  prices: anthropicPrices,
  etags: false,
};

/** All of the input may be written to the prompt cache, for as long as the longest that the request asks for. */
function worstCacheWrites(call: ProviderCall): Cost {
  const controls = cacheControls(call.body);
  if (controls.length === 0) return {};
  const input = inputEstimate(call);
  const forAnHour = controls.some((control) => member(control, 'ttl') === '1h');
  return { cacheWrite: input, cacheWriteHour: forAnHour ? input : 0 };
}

/** Every `cache_control` of a request: of its own, of tools, of the system prompt, of blocks of messages. */
function cacheControls({ tools, system, messages, cache_control }: ProviderCall['body']): unknown[] {
  const blocks = [tools, system, ...listed(messages).map((message) => member(message, 'content'))].flatMap(listed);
  return [cache_control, ...blocks.map((block) => member(block, 'cache_control'))].filter((control) => control != null);
}

function listed(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Cached input does not count against the input limit, but it costs money: `input` is for the limit, the rest for the price. */
function readUsage(data: unknown): Cost | undefined {
  const started = member(data, 'message', 'usage');
  const usage = member(data, 'usage') ?? started;
  if (usage === undefined) return undefined;
  const cacheRead = numberAt(usage, 'cache_read_input_tokens');
  const cacheWrite = numberAt(usage, 'cache_creation_input_tokens');
  const cacheWriteHour = numberAt(usage, 'cache_creation', 'ephemeral_1h_input_tokens');
  const plain = numberAt(usage, 'input_tokens');
  // A stream starts with the output of its first event: what it will cost is not said yet.
  const output = usage === started ? undefined : numberAt(usage, 'output_tokens');
  return {
    ...(plain === undefined ? {} : { input: plain + (cacheWrite ?? 0) }),
    ...(output === undefined ? {} : { output }),
    ...(cacheRead === undefined ? {} : { cacheRead }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
    ...(cacheWriteHour === undefined ? {} : { cacheWriteHour }),
  };
}
