import type { ModelPrice, PriceTable } from '../prices.ts';

/*
 * List prices in USD per million tokens, standard service, text. They change: look at `date`, and override what your contract says,
 * `prices: { ...anthropicPrices, models: { ...anthropicPrices.models, 'claude-opus-5-5': { input: 3.5, output: 17 } } }`.
 * Read from dated transcripts of the providers' pages (decision 0026); what those did not show says so in `unverified`.
 */

/** Cache hits cost a tenth of the input, unless `cacheRead` says otherwise; writes a quarter more than it, for an hour twice as much. */
function claude(input: number, output: number, cacheRead: number = input / 10): ModelPrice {
  return { input, output, cacheRead: round(cacheRead), cacheWrite: round(input * 1.25), cacheWriteHour: input * 2 };
}

function round(price: number): number {
  return Number(price.toFixed(6));
}

/** Anthropic's list prices. */
export const anthropicPrices: PriceTable = {
  date: '2026-10-24',
  source: 'https://platform.claude.com/docs/en/about-claude/pricing',
  models: {
    'claude-fable-5-1': claude(10, 50, 0.25),
    'claude-fable-5': claude(10, 50),
    'claude-opus-5-5': claude(4, 20, 0.2),
    'claude-opus-5': claude(5, 25),
    'claude-opus-4-8': claude(5, 25),
    'claude-opus-4-7': claude(5, 25),
    'claude-opus-4-6': claude(5, 25),
    'claude-opus-4-5': claude(5, 25),
    'claude-opus-4-1': claude(15, 75),
    'claude-opus-4-0': claude(15, 75),
    'claude-opus-4': claude(15, 75),
    'claude-sonnet-5-5': claude(2, 10, 0.1),
    'claude-sonnet-5': claude(2, 10),
    'claude-sonnet-4-6': claude(3, 15),
    'claude-sonnet-4-5': claude(3, 15),
    'claude-sonnet-4-0': claude(3, 15),
    'claude-sonnet-4': claude(3, 15),
    'claude-3-7-sonnet': claude(3, 15),
    'claude-haiku-5-5': { ...claude(0.1, 0.5), longPrompt: { above: 100_000, ...claude(0.5, 2.5) } },
    'claude-haiku-4-5': claude(1, 5),
    'claude-3-5-haiku': claude(0.8, 4),
  },
};

const longPromptRates =
  'the price of prompts above 272 000 tokens: the page names the tier, its transcript shows no price';

const undatedTranscript = 'all of it: the only transcripts that show it name no day or are of March 2026';

/** OpenAI's list prices. Models without a cached price get no discount for cached input. */
export const openaiPrices: PriceTable = {
  date: '2026-09-07',
  source: 'https://developers.openai.com/api/docs/pricing',
  models: {
    'gpt-6-astra': { input: 10, output: 50, cacheRead: 1 },
    'gpt-5.6-sol': { input: 4, output: 20, cacheRead: 0.4 },
    'gpt-5.6-terra': { input: 2, output: 12, cacheRead: 0.2 },
    'gpt-5.6-luna': { input: 0.2, output: 1.2, cacheRead: 0.02 },
    'gpt-5.5': { input: 5, output: 30, cacheRead: 0.5, ...twiceAboveLimit(5, 30, 0.5) },
    'gpt-5.5-pro': { input: 30, output: 180, ...twiceAboveLimit(30, 180) },
    'gpt-5.4': { input: 2.5, output: 15, cacheRead: 0.25, ...twiceAboveLimit(2.5, 15, 0.25) },
    'gpt-5.4-mini': { input: 0.75, output: 4.5, cacheRead: 0.075 },
    'gpt-5.4-nano': { input: 0.2, output: 1.25, cacheRead: 0.02 },
    'gpt-5.4-pro': { input: 30, output: 180, ...twiceAboveLimit(30, 180) },
    'gpt-5.2': { input: 1.75, output: 14, cacheRead: 0.175 },
    'gpt-5.2-pro': { input: 21, output: 168 },
    'gpt-5.1': { input: 1.25, output: 10, cacheRead: 0.125 },
    'gpt-5': { input: 1.25, output: 10, cacheRead: 0.125 },
    'gpt-5-mini': { input: 0.25, output: 2, cacheRead: 0.025 },
    'gpt-5-nano': { input: 0.05, output: 0.4, cacheRead: 0.005 },
    'gpt-5-pro': { input: 15, output: 120 },
    'gpt-5.3-codex': { input: 1.75, output: 14, cacheRead: 0.175, unverified: undatedTranscript },
    'gpt-5.2-codex': { input: 1.75, output: 14, cacheRead: 0.175, unverified: undatedTranscript },
    'gpt-5.1-codex-max': { input: 1.25, output: 10, cacheRead: 0.125, unverified: undatedTranscript },
    'gpt-5.1-codex': { input: 1.25, output: 10, cacheRead: 0.125, unverified: undatedTranscript },
    'gpt-5.1-codex-mini': { input: 0.25, output: 2, cacheRead: 0.025, unverified: undatedTranscript },
    'gpt-5-codex': { input: 1.25, output: 10, cacheRead: 0.125, unverified: undatedTranscript },
    'gpt-4.1': { input: 2, output: 8, cacheRead: 0.5 },
    'gpt-4.1-mini': { input: 0.4, output: 1.6, cacheRead: 0.1 },
    'gpt-4.1-nano': { input: 0.1, output: 0.4, cacheRead: 0.025 },
    'gpt-4o': { input: 2.5, output: 10, cacheRead: 1.25 },
    'gpt-4o-mini': { input: 0.15, output: 0.6, cacheRead: 0.075 },
    o3: { input: 2, output: 8, cacheRead: 0.5 },
    'o3-pro': { input: 20, output: 80 },
    'o3-mini': { input: 1.1, output: 4.4, cacheRead: 0.55 },
    'o4-mini': { input: 1.1, output: 4.4, cacheRead: 0.275 },
    o1: { input: 15, output: 60, cacheRead: 7.5 },
  },
};

/** The surcharge that other sources name, twice the input and one and a half times the output: too much is safer than too little. */
function twiceAboveLimit(
  input: number,
  output: number,
  cacheRead: number = input,
): Pick<ModelPrice, 'longPrompt' | 'unverified'> {
  const longPrompt = { above: 272_000, input: input * 2, output: output * 1.5, cacheRead: cacheRead * 2 };
  return { longPrompt, unverified: longPromptRates };
}

/**
 * Gemini's list prices for text, images and video (audio input costs more). The Flash models 3.6 to 3.8 are sold at half of this until the end of 2026.
 * Storage of explicit caches, by the hour, is not in here.
 */
export const geminiPrices: PriceTable = {
  date: '2026-09-07',
  source: 'https://ai.google.dev/gemini-api/docs/pricing',
  models: {
    'gemini-3.8-flash': { input: 1.5, output: 7.5, cacheRead: 0.15 },
    'gemini-3.7-flash': { input: 1.5, output: 7.5, cacheRead: 0.15 },
    'gemini-3.6-flash': { input: 1.5, output: 7.5, cacheRead: 0.15 },
    'gemini-3.5-flash': { input: 1.5, output: 9, cacheRead: 0.15 },
    'gemini-3.5-flash-lite': { input: 0.3, output: 2.5 },
    'gemini-3.1-flash-lite*': { input: 0.25, output: 1.5, cacheRead: 0.025 },
    'gemini-3.1-pro-preview*': {
      input: 2,
      output: 12,
      cacheRead: 0.2,
      longPrompt: { above: 200_000, input: 4, output: 18, cacheRead: 0.4 },
    },
    'gemini-2.5-pro*': {
      input: 1.25,
      output: 10,
      cacheRead: 0.125,
      longPrompt: { above: 200_000, input: 2.5, output: 15, cacheRead: 0.25 },
    },
    'gemini-2.5-flash': { input: 0.3, output: 2.5, cacheRead: 0.03 },
    'gemini-2.5-flash-lite': { input: 0.1, output: 0.4, unverified: 'the price of cached input: counted as input' },
  },
};
