import { RateLimitError } from './errors.ts';
import type { Cost } from './policy.ts';

/** What one million tokens cost, in USD. */
export interface TokenPrice {
  readonly input: number;
  readonly output: number;
  /** Input read from the provider's prompt cache. @default input */
  readonly cacheRead?: number;
  /** Input written to the provider's prompt cache (for the shortest time that the provider sells). @default input */
  readonly cacheWrite?: number;
  /** Input written to the cache for an hour. @default cacheWrite */
  readonly cacheWriteHour?: number;
}

/** The price of a model. */
export interface ModelPrice extends TokenPrice {
  /** The price of a whole call whose input, cached or not, is longer than `above` tokens. @default no other price */
  readonly longPrompt?: TokenPrice & { readonly above: number };
  /** What of this entry could not be checked against the provider's page. @default nothing: all of it was */
  readonly unverified?: string;
}

/**
 * Prices by model name. A name also covers its dated snapshots (`-20251001`, `-2025-08-07`) and `-latest`;
 * one that ends in `*` covers every model that starts so, the longest one first.
 */
export interface PriceTable {
  /** The day on which the provider's page was read, ISO 8601. */
  readonly date: string;
  /** The provider's page. */
  readonly source: string;
  readonly models: Readonly<Record<string, ModelPrice>>;
}

/** Calls of a model without a price cannot be kept within a budget: they are refused, not counted as free. */
export class UnknownPriceError extends RateLimitError {
  readonly code = 'ERR_UNKNOWN_PRICE' as const;
  override readonly name = 'UnknownPriceError' as const;
  readonly model: string;

  constructor(model: string, { date }: PriceTable) {
    super(
      `The price table (of ${date}) does not know "${model}", so the budget cannot cover it: add it with \`prices: { ...table, models: { ...table.models, '${model}': { input, output } } }\`.`,
    );
    this.model = model;
  }
}

/** `-20251001`, `-2025-08-07`, `-latest`: the same model, the same price. */
const snapshot = /-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$/;

/** The price of a model, or undefined when the table does not know it. */
export function priceOf(table: PriceTable, model: string): ModelPrice | undefined {
  const exact = table.models[model] ?? table.models[model.replace(snapshot, '')];
  if (exact !== undefined) return exact;
  const matching = Object.keys(table.models)
    .filter((name) => name.endsWith('*') && model.startsWith(name.slice(0, -1)))
    .sort((a, b) => b.length - a.length);
  return table.models[matching[0] ?? ''];
}

/**
 * The price of a usage in whole micro-USD, rounded up. USD per million tokens is the same number as micro-USD per token.
 * Dimensions: `input` (all of it), `output`, of the input `cacheRead` and `cacheWrite`, and of the latter `cacheWriteHour`.
 */
export function costOf(price: ModelPrice, usage: Cost): number {
  const { input = 0, output = 0, cacheRead = 0, cacheWrite = 0, cacheWriteHour = 0 } = usage;
  const { longPrompt } = price;
  const rates: TokenPrice = longPrompt !== undefined && input > longPrompt.above ? longPrompt : price;
  const writeRate = rates.cacheWrite ?? rates.input;
  const amount =
    Math.max(0, input - cacheRead - cacheWrite) * rates.input +
    cacheRead * (rates.cacheRead ?? rates.input) +
    Math.max(0, cacheWrite - cacheWriteHour) * writeRate +
    cacheWriteHour * (rates.cacheWriteHour ?? writeRate) +
    output * rates.output;
  return Math.ceil(amount - 1e-9);
}
