import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { CacheStore } from '../store.ts';

/** Bytes in this process, the least recently used dropped first. Expiry follows the store's clock. */
export class MemoryCache implements CacheStore {
  readonly #clock: Clock;
  readonly #entries: LRUCache<string, Uint8Array>;
  readonly #locks = new Map<string, { readonly id: string; readonly expires: number }>();

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock;
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (value, key) => value.byteLength + key.length + 1,
      perf: { now: () => clock.monotonic() + 1 },
      ttlResolution: 0,
      ttl: 1,
    });
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: Uint8Array, ttlMs: number): void {
    this.#entries.set(key, value, { ttl: Math.max(1, Math.ceil(ttlMs)) });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  lock(key: string, id: string, leaseMs: number): boolean {
    const now = this.#clock.monotonic();
    const held = this.#locks.get(key);
    if (held !== undefined && held.expires > now && held.id !== id) return false;
    this.#locks.set(key, { id, expires: now + leaseMs });
    return true;
  }

  unlock(key: string, id: string): void {
    if (this.#locks.get(key)?.id === id) this.#locks.delete(key);
  }
}
