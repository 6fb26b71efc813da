import { type Clock, systemClock } from './clock.ts';
import { recordId } from './key.ts';
import * as machine from './machine.ts';
import type { IdempotencyRecord, RecordKey } from './record.ts';
import type { IdempotencyStore } from './store.ts';

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** @default systemClock */
  readonly clock?: Clock;
}

/**
 * Keeps records in this process's memory: for tests, and for one process whose keys may be lost with it.
 *
 * @example
 * ```ts
 * const idempotency = createIdempotency({ store: memoryStore() });
 * ```
 */
export function memoryStore({ clock = systemClock }: MemoryStoreOptions = {}): IdempotencyStore {
  const records = new Map<string, IdempotencyRecord>();
  /** Writes what the machine allows; undefined means a stale fence. */
  const put = (key: RecordKey, next: IdempotencyRecord | undefined): boolean => {
    if (next) records.set(recordId(key), next);
    return next !== undefined;
  };
  const get = (key: RecordKey): IdempotencyRecord | undefined => records.get(recordId(key));
  const live = (record: IdempotencyRecord): boolean => !machine.isExpired(record, clock.now());
  return {
    name: 'memory',
    capabilities: { transactions: false, durable: false, shared: false },
    async begin(key, request) {
      const { result, write } = machine.begin(get(key), key, request, clock.now());
      put(key, write);
      return result;
    },
    extend: async (key, fence, times) => put(key, machine.extend(get(key), fence, times, clock.now())),
    checkpoint: async (key, fence, phase, value) =>
      put(key, machine.checkpoint(get(key), fence, phase, value, clock.now())),
    complete: async (key, fence, result, ttl) => put(key, machine.complete(get(key), fence, result, ttl, clock.now())),
    release: async (key, fence, state, ttl) => put(key, machine.release(get(key), fence, state, ttl, clock.now())),
    resolve: async (key, fence, resolution) => put(key, machine.resolve(get(key), fence, resolution, clock.now())),
    async read(key) {
      const record = get(key);
      return record && live(record) ? record : undefined;
    },
    list: async ({ tenant, state, limit }) =>
      [...records.values()]
        .filter((record) => live(record) && (tenant ?? record.tenant) === record.tenant)
        .filter((record) => (state ?? record.state) === record.state)
        .sort((a, b) => a.updatedAt - b.updatedAt)
        .slice(0, limit),
    async forget(tenant) {
      const erased = [...records].filter(([, record]) => record.tenant === tenant);
      for (const [id] of erased) records.delete(id);
      return erased.length;
    },
    sweep: async (limit) => sweep(records, limit, clock.now()),
    close: async () => records.clear(),
  };
}

function sweep(
  records: Map<string, IdempotencyRecord>,
  limit: number,
  now: number,
): { deleted: number; parked: number } {
  let deleted = 0;
  let parked = 0;
  for (const [id, record] of records) {
    const next = machine.sweep(record, now);
    if (next === record) continue;
    if (next) records.set(id, next);
    else records.delete(id);
    if (next) parked += 1;
    else deleted += 1;
    if (deleted >= limit || parked >= limit) break;
  }
  return { deleted, parked };
}
