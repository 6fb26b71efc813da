import { type Clock, systemClock } from './clock.ts';
import { MemoryRates } from './memory/rates.ts';
import type { RateStore } from './store.ts';

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Time source. @default systemClock */
  readonly clock?: Clock;
}

/** A store in this process. */
export interface MemoryStore {
  readonly name: 'memory';
  readonly capabilities: { readonly shared: false };
  readonly rates: RateStore;
}

/** State in this process only: answers at once, is gone with the process. */
export function memoryStore({ clock = systemClock }: MemoryStoreOptions = {}): MemoryStore {
  return { name: 'memory', capabilities: { shared: false }, rates: new MemoryRates(clock) };
}
