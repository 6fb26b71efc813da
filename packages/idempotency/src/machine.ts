/**
 * The state machine of one record as pure functions of (record, time). The memory and SQLite stores run it; the Redis scripts and the
 * PostgreSQL statements say the same in their languages and are compared with it, step by step, by the tests.
 */
import type { IdempotencyRecord, RecordKey } from './record.ts';
import type { BeginRequest, BeginResult, LeaseTimes, StoreResolution } from './store.ts';

/** Answer of {@link begin} and the record to write, if any. */
export interface BeginStep {
  readonly result: BeginResult;
  readonly write: IdempotencyRecord | undefined;
}

/**
 * Past its time. A parked record is kept until it is resolved, and a dead execution that must be parked is kept until it is:
 * forgetting either would let the operation run again with nobody having looked.
 */
export function isExpired(record: IdempotencyRecord, now: number): boolean {
  if (record.state === 'parked' || mustPark(record)) return false;
  return record.expiresAt <= now;
}

/** `none | retryable | running with a dead lease → running`, or what stands in the way. */
export function begin(
  current: IdempotencyRecord | undefined,
  key: RecordKey,
  request: BeginRequest,
  now: number,
): BeginStep {
  if (!current || isExpired(current, now)) return acquire(execution(current, key, request, now), false, now);
  if (current.fingerprint !== request.fingerprint) {
    return { result: { status: 'mismatch', record: current, now }, write: undefined };
  }
  const dead = current.state === 'running' && current.leaseUntil <= now;
  if (dead && mustPark(current)) {
    const parked = park(current, now);
    return { result: { status: 'existing', record: parked, now }, write: parked };
  }
  if (!dead && current.state !== 'retryable') {
    return { result: { status: 'existing', record: current, now }, write: undefined };
  }
  const next = execution(current, key, request, now);
  const kept = { attempt: current.attempt + 1, phases: current.phases, createdAt: current.createdAt };
  return acquire({ ...next, ...kept }, dead, now);
}

/** Moves the end of the lease; undefined when the fence is stale. */
export function extend(
  current: IdempotencyRecord | undefined,
  fence: number,
  { lease, ttl }: LeaseTimes,
  now: number,
): IdempotencyRecord | undefined {
  if (!holds(current, fence, now)) return undefined;
  return { ...current, leaseUntil: now + lease, expiresAt: now + lease + ttl };
}

/** Adds the value of a finished phase; undefined when the fence is stale. */
export function checkpoint(
  current: IdempotencyRecord | undefined,
  fence: number,
  phase: string,
  value: string,
  now: number,
): IdempotencyRecord | undefined {
  if (!holds(current, fence, now)) return undefined;
  return { ...current, phases: { ...current.phases, [phase]: value } };
}

/** `running → done`; undefined when the fence is stale. */
export function complete(
  current: IdempotencyRecord | undefined,
  fence: number,
  result: string,
  ttl: number,
  now: number,
): IdempotencyRecord | undefined {
  if (!holds(current, fence, now)) return undefined;
  return { ...current, state: 'done', result, updatedAt: now, leaseUntil: now, expiresAt: now + ttl };
}

/** `running → retryable | parked`; undefined when the fence is stale. */
export function release(
  current: IdempotencyRecord | undefined,
  fence: number,
  state: 'retryable' | 'parked',
  ttl: number,
  now: number,
): IdempotencyRecord | undefined {
  if (!holds(current, fence, now)) return undefined;
  return { ...current, state, updatedAt: now, leaseUntil: now, expiresAt: now + ttl };
}

/** `parked → done | retryable`; undefined when it is not parked under this fence. */
export function resolve(
  current: IdempotencyRecord | undefined,
  fence: number,
  resolution: StoreResolution,
  now: number,
): IdempotencyRecord | undefined {
  if (current?.state !== 'parked' || current.fence !== fence) return undefined;
  const result = resolution.state === 'done' ? resolution.result : undefined;
  return { ...current, state: resolution.state, result, updatedAt: now, expiresAt: now + resolution.ttl };
}

/** What a sweep does with a record: nothing (the same record), park it, or delete it (undefined). */
export function sweep(current: IdempotencyRecord, now: number): IdempotencyRecord | undefined {
  if (isExpired(current, now)) return undefined;
  return mustPark(current) && current.leaseUntil <= now ? park(current, now) : current;
}

function acquire(record: IdempotencyRecord, takenOver: boolean, now: number): BeginStep {
  return { result: { status: 'acquired', record, takenOver, now }, write: record };
}

function execution(
  previous: IdempotencyRecord | undefined,
  { tenant, operation, key }: RecordKey,
  { fingerprint, owner, onExpiredLease, lease, ttl }: BeginRequest,
  now: number,
): IdempotencyRecord {
  return {
    tenant,
    operation,
    key,
    state: 'running',
    fingerprint,
    fence: nextFence(previous, now),
    owner,
    attempt: 1,
    onExpiredLease,
    phases: {},
    result: undefined,
    createdAt: now,
    updatedAt: now,
    leaseUntil: now + lease,
    expiresAt: now + lease + ttl,
  };
}

/**
 * The store's time in microseconds, or one more than the last fence if that is larger. Starting at the time instead of 1 keeps a zombie
 * of a forgotten record from holding the fence of the record that came after it. Exact in a double until the year 2255.
 */
function nextFence(previous: IdempotencyRecord | undefined, now: number): number {
  return Math.max(previous ? previous.fence + 1 : 1, Math.floor(now * 1000));
}

function holds(current: IdempotencyRecord | undefined, fence: number, now: number): current is IdempotencyRecord {
  return current?.state === 'running' && current.fence === fence && !isExpired(current, now);
}

function mustPark(record: IdempotencyRecord): boolean {
  return record.state === 'running' && record.onExpiredLease === 'park';
}

function park(record: IdempotencyRecord, now: number): IdempotencyRecord {
  return { ...record, state: 'parked', updatedAt: now };
}
