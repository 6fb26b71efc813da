import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { recordId } from './key.ts';
import type { IdempotencyRecord, RecordKey } from './record.ts';

/** The in-process cache of finished records. */
export interface CacheOptions {
  /**
   * Records kept.
   * @default 1000
   */
  readonly max?: number;
  /**
   * How long one is served from memory: the longest time for which a record that was erased or resolved elsewhere is still replayed here.
   * @default '1m'
   */
  readonly ttl?: Duration;
}

/** A finished record as the cache keeps it: the fingerprint to compare and the stored text to decode. */
export interface FinishedRecord {
  readonly fingerprint: string;
  readonly result: string;
}

/** Finished records of this process. A cached record can only be `done`: nothing but expiry or an administrator changes one. */
export interface FinishedCache {
  get(key: RecordKey): FinishedRecord | undefined;
  /** `now` is the store's time, at which `record` was read. */
  set(record: IdempotencyRecord, now: number): void;
  delete(key: RecordKey): void;
  clear(): void;
}

/** @throws InvalidDurationError for an impossible `ttl` */
export function finishedCache(options: CacheOptions, clock: Clock): FinishedCache {
  const ttl = toMilliseconds(options.ttl ?? '1m', 'cache.ttl');
  const entries = new LRUCache<string, FinishedRecord>({
    max: options.max ?? 1000,
    ttl,
    ttlResolution: 0,
    perf: { now: () => clock.monotonic() + 1 },
  });
  return {
    get: (key) => entries.get(recordId(key)),
    set(record, now) {
      const left = Math.min(ttl, record.expiresAt - now);
      if (record.result === undefined || left < 1) return;
      entries.set(recordId(record), { fingerprint: record.fingerprint, result: record.result }, { ttl: left });
    },
    delete: (key) => void entries.delete(recordId(key)),
    clear: () => entries.clear(),
  };
}
