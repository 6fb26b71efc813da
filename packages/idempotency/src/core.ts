import { hostname } from 'node:os';
import { type Clock, systemClock } from './clock.ts';
import { toMilliseconds } from './duration.ts';
import { type DurationEstimate, durationEstimate } from './duration-estimate.ts';
import { InvalidOptionError } from './errors.ts';
import { fingerprint } from './fingerprint.ts';
import { type FinishedCache, finishedCache } from './finished-cache.ts';
import type { IdempotencyInstrumentation } from './instrumentation.ts';
import { checkRecordKey } from './key.ts';
import type { IdempotencyOptions, RunRequest } from './options.ts';
import { type Policy, policyTable } from './policy.ts';
import type { RecordKey } from './record.ts';
import { type ResultCodec, resultCodec } from './result-codec.ts';
import type { IdempotencyStore } from './store.ts';
import { type Guard, storeGuard } from './store-guard.ts';

/** What the parts of one `createIdempotency` share. */
export interface Core<Tx> {
  readonly store: IdempotencyStore<Tx>;
  /** Bounds a call to the store in time and gives its failure a type. */
  readonly guard: Guard;
  readonly codec: ResultCodec;
  readonly cache: FinishedCache | undefined;
  readonly durations: DurationEstimate;
  /** Executions of this process, by record: settles when one ends, so that a waiting duplicate need not poll. */
  readonly running: Map<string, Promise<void>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly instrumentation: IdempotencyInstrumentation;
  policyOf(request: RunRequest): Policy;
  /** A new name for one call's execution: no two calls share one. */
  nextOwner(): string;
}

/** One call, checked and complete. */
export interface Call {
  readonly key: RecordKey;
  readonly fingerprint: string;
  readonly policy: Policy;
  readonly signal: AbortSignal | undefined;
  readonly traceparent: string | undefined;
}

/** @throws InvalidOptionError and InvalidDurationError for options that cannot work */
export function createCore<Tx>(options: IdempotencyOptions<Tx>): Core<Tx> {
  if (!options.store)
    throw new InvalidOptionError('`store` is missing: pass memoryStore(), postgresStore({ pool }), …');
  const clock = options.clock ?? systemClock;
  const instrumentation = options.instrumentation ?? {};
  const owner = options.owner ?? `${hostname()}:${process.pid}`;
  const ownerPrefix = `${owner}:${Math.floor(performance.timeOrigin).toString(36)}`;
  let calls = 0;
  return {
    store: options.store,
    guard: storeGuard({
      store: options.store.name,
      timeout: toMilliseconds(options.storeTimeout ?? '5s', 'storeTimeout'),
      clock,
      instrumentation,
    }),
    codec: resultCodec(options.encryption),
    cache: options.cache ? finishedCache(options.cache, clock) : undefined,
    durations: durationEstimate(),
    running: new Map(),
    clock,
    random: options.random ?? Math.random,
    instrumentation,
    policyOf: policyTable(options as IdempotencyOptions<never>),
    nextOwner: () => `${ownerPrefix}:${(calls++).toString(36)}`,
  };
}

/** @throws InvalidKeyError, UnserializableError, InvalidOptionError */
export function prepareCall<Tx>(core: Core<Tx>, request: RunRequest): Call {
  checkRecordKey(request);
  const { tenant, operation, key, signal, traceparent } = request;
  signal?.throwIfAborted();
  return {
    key: { tenant, operation, key },
    fingerprint: request.fingerprint ?? fingerprint(request.input ?? null),
    policy: core.policyOf(request),
    signal,
    traceparent,
  };
}
