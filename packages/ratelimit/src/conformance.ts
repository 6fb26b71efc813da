import { cacheTests, peerTests } from './conformance/cache.ts';
import { circuitTests } from './conformance/circuits.ts';
import type { OpenStore, TestFunctions } from './conformance/harness.ts';
import { ledgerTests } from './conformance/ledger.ts';
import { permitTests } from './conformance/permits.ts';
import { rateTests } from './conformance/rates.ts';

export { cacheTests, peerTests } from './conformance/cache.ts';
export { circuitTests } from './conformance/circuits.ts';
export type { OpenStore, StoreUnderTest, TestFunctions } from './conformance/harness.ts';
export { ledgerTests } from './conformance/ledger.ts';
export { permitTests } from './conformance/permits.ts';
export { rateTests } from './conformance/rates.ts';

/** Every part of a store that a policy may use. */
export type StorePart = 'rates' | 'permits' | 'ledger' | 'circuits' | 'cache' | 'peers';

/**
 * Proves a store against the whole contract. A store with only some parts runs the groups of those parts one by one.
 *
 * @param functions - `describe` and `it` of the test runner
 * @param open - opens a store for one test; see {@link StoreUnderTest}
 *
 * @example
 * ```ts
 * import { describe, it } from 'vitest';
 * storeTests({ describe, it }, 'my store', async () => ({ store: myStore(), advance: sleep, close: async () => {} }));
 * ```
 */
export function storeTests(functions: TestFunctions, name: string, open: OpenStore<StorePart>): void {
  functions.describe(`${name}: store contract`, () => {
    rateTests(functions, open);
    permitTests(functions, open);
    ledgerTests(functions, open);
    circuitTests(functions, open);
    cacheTests(functions, open);
    peerTests(functions, open);
  });
}
