/** The HTTP status that an SDK's error carries. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('status' in error && typeof error.status === 'number') return error.status;
  return 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** The caller gave up: not a failure of the other side. */
export function isAbort(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('name' in error)) return false;
  return error.name === 'AbortError' || error.name === 'APIUserAbortError';
}

const refusals = new Set([
  'ERR_RATE_LIMITED',
  'ERR_CIRCUIT_OPEN',
  'ERR_BULKHEAD_FULL',
  'ERR_BUDGET_EXCEEDED',
  'ERR_ADMISSION_REFUSED',
  'ERR_COST_EXCEEDS_LIMIT',
]);

/** One of our own policies refused the call: it was not made. */
export function isRefusal(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && refusals.has(code);
}
