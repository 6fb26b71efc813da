import { anthropicPreset } from './presets/anthropic.ts';
import { geminiPreset } from './presets/gemini.ts';
import { githubPreset } from './presets/github.ts';
import { openaiPreset } from './presets/openai.ts';
import { createProvider, type Provider, type ProviderOptions } from './presets/provider.ts';

export { anthropicPreset } from './presets/anthropic.ts';
export { geminiPreset } from './presets/gemini.ts';
export { githubPreset } from './presets/github.ts';
export { openaiPreset } from './presets/openai.ts';
export type { Failure, FailureKind, LimitReport, ProviderCall, ProviderPreset } from './presets/preset.ts';
export { anthropicPrices, geminiPrices, openaiPrices } from './presets/price-tables.ts';
export {
  createProvider,
  type Fetch,
  type Provider,
  type ProviderCacheOptions,
  type ProviderOptions,
} from './presets/provider.ts';
export { ProviderError } from './presets/provider-error.ts';
export { StreamAbandonedError } from './presets/stream-abandoned-error.ts';

/**
 * Anthropic behind its limits; they are learned from its headers unless given.
 *
 * @example
 * ```ts
 * const claude = anthropic({ store, account: 'prod' });
 * const client = new Anthropic({ fetch: claude.fetch, maxRetries: 0 });
 * ```
 */
export function anthropic(options: ProviderOptions = {}): Provider {
  return createProvider(anthropicPreset, options);
}

/**
 * OpenAI behind its limits; they are learned from its headers unless given (`requests`, `tokens`).
 *
 * @example
 * ```ts
 * const gpt = openai({ store });
 * const client = new OpenAI({ fetch: gpt.fetch, maxRetries: 0 });
 * ```
 */
export function openai(options: ProviderOptions = {}): Provider {
  return createProvider(openaiPreset, options);
}

/**
 * Gemini behind the limits that you give (`requests`, `input`): its answers do not tell them.
 *
 * @example
 * ```ts
 * const gemini = gemini({ limits: { requests: 150, input: 2_000_000 } });
 * const answer = await gemini.fetch(url, { method: 'POST', headers, body });
 * ```
 */
export function gemini(options: ProviderOptions = {}): Provider {
  return createProvider(geminiPreset, options);
}

/**
 * GitHub's REST interface behind its primary and secondary limits. One account per installation or token.
 *
 * @example
 * ```ts
 * const hub = github({ store, account: `installation-${id}` });
 * const octokit = new Octokit({ auth, request: { fetch: hub.fetch }, throttle: { enabled: false }, retry: { enabled: false } });
 * ```
 */
export function github(options: ProviderOptions = {}): Provider {
  return createProvider(githubPreset, options);
}
