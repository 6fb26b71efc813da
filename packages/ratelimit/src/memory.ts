import { type Clock, systemClock } from './clock.ts';
import { MemoryCache } from './memory/cache.ts';
import { MemoryCircuits } from './memory/circuits.ts';
import { MemoryLedger } from './memory/ledger.ts';
import { MemoryPeers } from './memory/peers.ts';
import { MemoryPermits } from './memory/permits.ts';
import { MemoryRates } from './memory/rates.ts';
import type { Store } from './store.ts';

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Time source. @default systemClock */
  readonly clock?: Clock;
  /** Bytes that cached responses may take. @default 64 MiB */
  readonly maxCacheBytes?: number;
}

/**
 * State in this process only: answers at once, is gone with the process.
 *
 * @example
 * ```ts
 * const store = memoryStore();
 * const limit = rateLimit({ store, limits: [{ limit: 50, per: '1s' }] });
 * ```
 */
export function memoryStore({ clock = systemClock, maxCacheBytes = 64 * 2 ** 20 }: MemoryStoreOptions = {}): Store {
  return {
    name: 'memory',
    capabilities: { shared: false },
    rates: new MemoryRates(clock),
    permits: new MemoryPermits(clock),
    ledger: new MemoryLedger(clock),
    circuits: new MemoryCircuits(clock),
    cache: new MemoryCache(clock, maxCacheBytes),
    peers: new MemoryPeers(clock),
  };
}
