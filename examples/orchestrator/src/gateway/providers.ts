/** The providers whose API the gateway speaks. */
export const providerNames = ['anthropic', 'openai', 'gemini'] as const;
export type ProviderName = (typeof providerNames)[number];

/** An API key and where it is good. */
export interface ProviderAccount {
  readonly key: string;
  /** Base URL without a trailing slash. */
  readonly baseUrl: string;
}

/** How a provider's API differs from the others, as far as the gateway must know. */
export interface ProviderShape {
  /** Where the key, or at the gateway the run's token, is carried; the first is the one we send. */
  readonly keyHeaders: readonly string[];
  /** What may be called: an agent's token must not reach the rest of the account (files, batches, administration). */
  readonly allowed: readonly RegExp[];
}

export const providerShapes: Readonly<Record<ProviderName, ProviderShape>> = {
  anthropic: {
    keyHeaders: ['x-api-key', 'authorization'],
    allowed: [/^HEAD \/$/, /^POST \/v1\/messages(\/count_tokens)?$/, /^GET \/v1\/models(\/[\w.-]+)?$/],
  },
  openai: {
    keyHeaders: ['authorization'],
    allowed: [/^POST \/v1\/(responses|chat\/completions)$/, /^GET \/v1\/models(\/[\w.-]+)?$/],
  },
  gemini: {
    keyHeaders: ['x-goog-api-key', 'authorization'],
    allowed: [
      /^POST \/v1(beta)?\/models\/[\w.-]+:(generateContent|streamGenerateContent|countTokens)$/,
      /^GET \/v1(beta)?\/models(\/[\w.-]+)?$/,
    ],
  },
};

/** What one call used. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}
