/** Closed sets of label values that several metrics share. They are used `as typeof`, since declarations are made file by file. */

/** How an attempt of a job ended. */
export const attemptOutcomes = ['ack', 'retry', 'snooze', 'release', 'dead', 'cancelled'] as const;

/** How a call to a provider ended. */
export const callOutcomes = [
  'ok',
  'rate_limited',
  'server_error',
  'client_error',
  'timeout',
  'network',
  'refused',
  'cancelled',
  'other',
] as const;

/** How a call with an idempotency key ended. */
export const keyOutcomes = [
  'executed',
  'failed',
  'replayed',
  'in_progress',
  'duplicate',
  'mismatch',
  'parked',
  'lease_lost',
  'bypassed',
  'store_unavailable',
  'invalid',
] as const;

/** The bounded taxonomy of failures. */
export const errorClasses = [
  'none',
  'timeout',
  'rate_limited',
  'budget',
  'circuit_open',
  'network',
  'auth',
  'invalid',
  'lease',
  'cancelled',
  'resource',
  'store',
  'git',
  'other',
] as const;
