import type { Cost } from '../policy.ts';
import { readRetryAfter } from '../retry-after.ts';
import { perMinute } from './language-model.ts';
import { parseReset } from './openai.ts';
import { failureOf, inputEstimate, member, numberAt, type ProviderPreset, parseJson } from './preset.ts';
import { geminiPrices } from './price-tables.ts';

/**
 * Gemini's generateContent: https://ai.google.dev/gemini-api/docs/rate-limits. No limit headers: give `limits`, or rely on the 429's RetryInfo.
 * A violated daily quota cannot be waited for.
 */
export const geminiPreset: ProviderPreset = {
  name: 'gemini',
  limits: perMinute,
  defaults: {},
  model: ({ url }) => /\/models\/([^:/]+)/.exec(url.pathname)?.[1],
  cost: (call) => ({ requests: 1, input: inputEstimate(call) }),
  worstCase: (call) => ({
    input: inputEstimate(call),
    output: numberAt(call.body, 'generationConfig', 'maxOutputTokens') ?? 8_192,
  }),
  usage: readUsage,
  billed: (usage) => usage,
  report: () => ({}),
  classify: (status, headers, body, now) => {
    const details = detailsOf(body);
    const delay = details.map((detail) => member(detail, 'retryDelay')).find((value) => typeof value === 'string');
    const retryAfter = readRetryAfter(headers, now) ?? (typeof delay === 'string' ? parseReset(delay) : undefined);
    if (status === 429 && /PerDay/.test(JSON.stringify(details))) return { kind: 'quota', retryAfter };
    return failureOf(status, retryAfter);
  },
  concurrency: undefined,
  prices: geminiPrices,
  etags: false,
};

/** A stream that ends in an error may wrap it in a list. */
function detailsOf(body: string): unknown[] {
  const parsed = parseJson(body);
  const details = member(Array.isArray(parsed) ? parsed[0] : parsed, 'error', 'details');
  return Array.isArray(details) ? details : [];
}

function readUsage(data: unknown): Cost | undefined {
  const usage = member(data, 'usageMetadata');
  const input = numberAt(usage, 'promptTokenCount');
  if (input === undefined) return undefined;
  const output = (numberAt(usage, 'candidatesTokenCount') ?? 0) + (numberAt(usage, 'thoughtsTokenCount') ?? 0);
  return { input, output, cacheRead: numberAt(usage, 'cachedContentTokenCount') ?? 0 };
}
