import { keyOutcomes } from './values.ts';

/** Metrics of `@millrace/idempotency`. */
export const idempotencyMetrics = {
  calls: {
    name: 'millrace_idempotency_total',
    type: 'counter',
    unit: 'count',
    help: 'Calls with an idempotency key, by how they ended.',
    labels: ['operation', 'outcome'],
    values: {
      outcome: keyOutcomes as typeof keyOutcomes,
    },
    advice:
      'Mismatches: a client reuses keys for other requests. Many in_progress: a client retries before its timeout.',
  },
  seconds: {
    name: 'millrace_idempotency_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'From the call to its end, with the work itself.',
    labels: ['operation', 'outcome'],
    values: {
      outcome: keyOutcomes as typeof keyOutcomes,
    },
    buckets: 'short',
    advice: 'Replays should take milliseconds: a slow replay is a slow store.',
  },
  takeovers: {
    name: 'millrace_idempotency_takeovers_total',
    type: 'counter',
    unit: 'count',
    help: 'Executions that follow one whose lease had run out.',
    labels: ['operation'],
    advice: 'An executor died or was too slow: it may have done half of its work. See the runbook.',
  },
  leaseLost: {
    name: 'millrace_idempotency_lease_lost_total',
    type: 'counter',
    unit: 'count',
    help: 'Executors that lost their lease; their results were not kept.',
    labels: ['operation'],
    advice: 'The lease is shorter than the work, or the process was paused.',
  },
  cache: {
    name: 'millrace_idempotency_cache_total',
    type: 'counter',
    unit: 'count',
    help: 'Questions to the in-process cache of finished records.',
    labels: ['outcome'],
    values: { outcome: ['hit', 'miss'] },
    advice: 'No hits: clients seldom repeat, and the cache is not needed.',
  },
  swept: {
    name: 'millrace_idempotency_swept_total',
    type: 'counter',
    unit: 'count',
    help: 'Records that a sweep deleted or parked.',
    labels: ['action'],
    values: { action: ['deleted', 'parked'] },
    advice: 'Parked ones wait for a person.',
  },
  storeUp: {
    name: 'millrace_idempotency_store_up',
    type: 'gauge',
    unit: 'state',
    help: '1 while the store of the records answers.',
    labels: ['store'],
    advice: 'Down: calls are refused or pass unprotected, as configured.',
  },
} as const;
