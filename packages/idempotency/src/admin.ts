import type { Core } from './core.ts';
import { InvalidOptionError } from './errors.ts';
import { checkRecordKey } from './key.ts';
import type { Resolution } from './options.ts';
import type { IdempotencyRecord, RecordKey, RecordState } from './record.ts';
import type { ListQuery, SweepResult } from './store.ts';

/** Records deleted per statement of a sweep, so that no sweep holds locks for long. */
const sweepBatch = 500;

/** Records listed at most when no limit is given. */
const defaultLimit = 100;

/** A record with its result decoded. */
export interface RecordView extends Omit<IdempotencyRecord, 'result' | 'phases'> {
  /** What the execution returned; only when `done`. */
  readonly value: unknown;
  /** Names of the finished phases and their values. */
  readonly phases: Readonly<Record<string, unknown>>;
}

/** What people and cron jobs do with records. */
export interface Admin {
  /** The record of a key, or undefined; reads only. */
  peek(key: RecordKey): Promise<RecordView | undefined>;
  /** Records by tenant and state, at most `limit` (default 100). */
  list(query?: {
    readonly tenant?: string;
    readonly state?: RecordState;
    readonly limit?: number;
  }): Promise<readonly RecordView[]>;
  /** Decides a parked record. Resolves to false when it is not parked under this fence (any more). */
  resolve(key: RecordKey, resolution: Resolution): Promise<boolean>;
  /** Deletes everything of a tenant (erasure). Resolves to the number of records. */
  forget(tenant: string): Promise<number>;
  /** Deletes what has expired and parks dead executions of operations that park. */
  sweep(options?: { readonly signal?: AbortSignal }): Promise<SweepResult>;
}

/** The administration of one `createIdempotency`. */
export function createAdmin<Tx>(core: Core<Tx>): Admin {
  const { store, guard } = core;
  return {
    async peek(key) {
      checkRecordKey(key);
      const record = await guard('read', () => store.read(key));
      return record && view(core, record);
    },
    async list({ tenant, state, limit = defaultLimit } = {}) {
      if (!(limit >= 1)) throw new InvalidOptionError('`limit` must be at least 1.');
      const query: ListQuery = {
        limit,
        ...(tenant !== undefined && { tenant }),
        ...(state !== undefined && { state }),
      };
      const records = await guard('list', () => store.list(query));
      return Promise.all(records.map((record) => view(core, record)));
    },
    async resolve(key, resolution) {
      checkRecordKey(key);
      const { ttl } = core.policyOf(key);
      const stored =
        resolution.as === 'done'
          ? { state: 'done' as const, result: await core.codec.encode(key, resolution.value), ttl }
          : { state: 'retryable' as const, ttl };
      return guard('resolve', () => store.resolve(key, resolution.fence, stored));
    },
    async forget(tenant) {
      checkRecordKey({ tenant, operation: '-', key: '-' });
      core.cache?.clear();
      const deleted = await guard('forget', () => store.forget(tenant));
      core.cache?.clear();
      return deleted;
    },
    sweep: ({ signal } = {}) => sweepAll(core, signal),
  };
}

async function sweepAll<Tx>({ store, guard, instrumentation }: Core<Tx>, signal?: AbortSignal): Promise<SweepResult> {
  let deleted = 0;
  let parked = 0;
  for (;;) {
    signal?.throwIfAborted();
    const step = await guard('sweep', () => store.sweep(sweepBatch));
    deleted += step.deleted;
    parked += step.parked;
    if (step.deleted < sweepBatch && step.parked < sweepBatch) break;
  }
  instrumentation.onSwept?.({ store: store.name, deleted, parked });
  return { deleted, parked };
}

async function view<Tx>(core: Core<Tx>, record: IdempotencyRecord): Promise<RecordView> {
  const { result, phases, ...rest } = record;
  const value = result === undefined ? undefined : await core.codec.decode(record, result);
  const decoded: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(phases)) decoded[name] = await core.codec.decode(record, text);
  return { ...rest, value, phases: decoded };
}
