import type { Cost } from './policy.ts';

/** What one million tokens cost, in USD. */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
  /** Input read from the provider's prompt cache. @default input */
  readonly cacheRead?: number;
  /** Input written to the provider's prompt cache. @default input */
  readonly cacheWrite?: number;
}

/** Prices by model name; a name that ends in `*` matches every model that starts so, the longest one first. */
export interface PriceTable {
  /** The day on which the prices were read, ISO 8601. */
  readonly date: string;
  /** Where they were read. */
  readonly source: string;
  readonly models: Readonly<Record<string, ModelPrice>>;
}

/** The price of a model, or undefined when the table does not know it. */
export function priceOf(table: PriceTable, model: string): ModelPrice | undefined {
  const exact = table.models[model];
  if (exact !== undefined) return exact;
  const matching = Object.keys(table.models)
    .filter((name) => name.endsWith('*') && model.startsWith(name.slice(0, -1)))
    .sort((a, b) => b.length - a.length);
  return table.models[matching[0] ?? ''];
}

/**
 * The price of a usage in whole micro-USD, rounded up. USD per million tokens is the same number as micro-USD per token.
 * Dimensions: `input` (all of it), `output`, and of the input `cacheRead` and `cacheWrite`.
 */
export function costOf(price: ModelPrice, usage: Cost): number {
  const { input = 0, output = 0, cacheRead = 0, cacheWrite = 0 } = usage;
  const plain = Math.max(0, input - cacheRead - cacheWrite);
  const amount =
    plain * price.input +
    cacheRead * (price.cacheRead ?? price.input) +
    cacheWrite * (price.cacheWrite ?? price.input) +
    output * price.output;
  return Math.ceil(amount - 1e-9);
}
