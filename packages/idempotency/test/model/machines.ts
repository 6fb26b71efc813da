/** The machine of this package, and the same with the bugs that were found in others (research of the issue): each must be detected. */
import * as real from '../../src/machine.ts';
import type { IdempotencyRecord } from '../../src/record.ts';

/** What the model checker drives. */
export type Machine = Omit<typeof real, 'release'> & {
  release(...args: Parameters<typeof real.release>): ReturnType<typeof real.release> | 'deleted';
};

/** The one that is shipped. */
export const shipped: Machine = real;

/** The record with a dead lease, which makes the machine take it over. */
function asDead(current: IdempotencyRecord | undefined): IdempotencyRecord | undefined {
  return current && { ...current, state: 'running', leaseUntil: 0, onExpiredLease: 'takeover' };
}

/** Machines with one planted bug each. */
export const planted: Readonly<Record<string, Machine>> = {
  'takeover by an unconditional SET, which overwrites a completed result': {
    ...real,
    begin: (current, key, request, now) => {
      const late = current?.state === 'done' && current.leaseUntil + 10 <= now && !real.isExpired(current, now);
      return real.begin(late ? asDead(current) : current, key, request, now);
    },
  },
  'completion by an unconditional SET': {
    ...real,
    complete: (current, _fence, result, ttl, now) =>
      current && real.complete({ ...current, state: 'running' }, current.fence, result, ttl, now),
  },
  'a failing zombie deletes the record': {
    ...real,
    release: (current, fence, state, ttl, now) =>
      current && current.fence !== fence ? 'deleted' : real.release(current, fence, state, ttl, now),
  },
  'the fingerprint is checked after the state': {
    ...real,
    begin: (current, key, request, now) => {
      const free =
        current && (current.state === 'retryable' || (current.state === 'running' && current.leaseUntil <= now));
      return real.begin(free ? { ...current, fingerprint: request.fingerprint } : current, key, request, now);
    },
  },
  'takeover without a new fence': {
    ...real,
    begin: (current, key, request, now) => {
      const step = real.begin(current, key, request, now);
      if (step.result.status !== 'acquired' || !current || real.isExpired(current, now)) return step;
      const record = { ...step.result.record, fence: current.fence };
      return { result: { ...step.result, record }, write: record };
    },
  },
  'fences start at 1 again after a record was forgotten': {
    ...real,
    begin: (current, key, request, now) => {
      const step = real.begin(current, key, request, now);
      if (step.result.status !== 'acquired') return step;
      const fence = current && !real.isExpired(current, now) ? current.fence + 1 : 1;
      const record = { ...step.result.record, fence };
      return { result: { ...step.result, record }, write: record };
    },
  },
  'a live lease is taken over by age': {
    ...real,
    begin: (current, key, request, now) => {
      const old = current?.state === 'running' && current.createdAt + 10 <= now;
      return real.begin(old ? { ...current, leaseUntil: 0 } : current, key, request, now);
    },
  },
  'a dead execution that must be parked is taken over': {
    ...real,
    begin: (current, key, request, now) =>
      real.begin(current && { ...current, onExpiredLease: 'takeover' }, key, request, now),
  },
  'the sweep deletes parked records': {
    ...real,
    sweep: (current, now) =>
      current.state === 'parked' && current.expiresAt <= now ? undefined : real.sweep(current, now),
  },
  'extending after the end brings the execution back': {
    ...real,
    extend: (current, fence, times, now) =>
      current?.fence === fence ? { ...current, state: 'running', leaseUntil: now + times.lease } : undefined,
  },
};
