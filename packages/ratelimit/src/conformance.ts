import type { OpenStore, TestFunctions } from './conformance/harness.ts';
import { rateTests } from './conformance/rates.ts';
import type { Store } from './store.ts';

export type { OpenStore, StoreUnderTest, TestFunctions } from './conformance/harness.ts';
export { rateTests } from './conformance/rates.ts';

/**
 * Proves a store against the whole contract. Groups can also be run one by one: {@link rateTests} and its neighbours.
 *
 * @example
 * ```ts
 * import { describe, it } from 'vitest';
 * storeTests({ describe, it }, 'my store', async () => ({ store: myStore(), advance: setTimeout, close: async () => {} }));
 * ```
 */
export function storeTests(functions: TestFunctions, name: string, open: OpenStore<'rates'>): void {
  functions.describe(`${name}: store contract`, () => {
    rateTests(functions, open);
  });
}

/** The parts of a store that {@link storeTests} proves. */
export type ProvenParts = keyof Pick<Store, 'rates'>;
