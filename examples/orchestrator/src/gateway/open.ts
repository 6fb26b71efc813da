import { costOf, priceOf, type RateLimitInstrumentation, type Store } from '@millrace/ratelimit';
import {
  anthropic,
  anthropicPrices,
  gemini,
  geminiPrices,
  openai,
  openaiPrices,
  type Provider,
  type ProviderOptions,
} from '@millrace/ratelimit/presets';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import { limitsTimeout } from '../limits.ts';
import { createBudgets } from './budgets.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { bookUsage } from './ledger.ts';
import type { ProviderName, Usage } from './providers.ts';

export interface OpenGatewayOptions {
  readonly config: Pick<Config, 'providerAccounts' | 'parkAfter'>;
  /** Shares limits, breakers and books with the other processes. */
  readonly limits: Store;
  readonly db: Kysely<Database>;
  /** Where this process's gateway is reached by its agents. */
  readonly url: () => string;
  readonly instrumentation: RateLimitInstrumentation;
  /** Told what each call cost, in millionths of a US dollar. @default nobody */
  readonly onCost?: (provider: ProviderName, model: string, cost: number) => void;
  readonly onError: (error: unknown) => void;
}

const presets: Readonly<Record<ProviderName, (options: ProviderOptions) => Provider>> = { anthropic, openai, gemini };
const prices = { anthropic: anthropicPrices, openai: openaiPrices, gemini: geminiPrices };

/** The gateway of this process: the accounts of its configuration behind limits, breaker, retries and budgets. */
export function openGateway(options: OpenGatewayOptions): Gateway {
  const { config, db, limits, url, instrumentation, onCost, onError } = options;
  const budgets = createBudgets(db);
  const shared: ProviderOptions = {
    store: limits,
    storeTimeout: limitsTimeout,
    budget: { scopes: budgets.scopes },
    instrumentation,
  };
  const providers = Object.fromEntries(
    (Object.keys(presets) as ProviderName[]).map((name) => [name, presets[name](shared)]),
  ) as Record<ProviderName, Provider>;
  return createGateway({
    url,
    accounts: config.providerAccounts,
    admit: budgets.admit,
    parkAfter: config.parkAfter,
    fetch: (request, { provider, tenantId, runId }) =>
      providers[provider].with({ tenant: tenantId, run: runId })(request),
    onUsage(caller, model, usage) {
      const cost = costOfCall(caller.provider, model, usage);
      onCost?.(caller.provider, model, cost);
      bookUsage(db, caller, model, usage, cost).catch(onError);
    },
  });
}

/** In millionths of a US dollar; a model without a known price costs nothing here. */
function costOfCall(provider: ProviderName, model: string, { inputTokens, outputTokens }: Usage): number {
  const price = priceOf(prices[provider], model);
  return price === undefined ? 0 : costOf(price, { input: inputTokens, output: outputTokens });
}
