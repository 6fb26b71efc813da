import type { Call, Core } from './core.ts';
import { IdempotencyError } from './errors.ts';
import type { Outcome, RunInfo } from './instrumentation.ts';
import type { RunResult } from './options.ts';

const outcomeByCode: Readonly<Record<string, Outcome>> = {
  ERR_IDEMPOTENCY_IN_PROGRESS: 'in_progress',
  ERR_IDEMPOTENCY_DUPLICATE: 'duplicate',
  ERR_IDEMPOTENCY_MISMATCH: 'mismatch',
  ERR_OUTCOME_UNKNOWN: 'parked',
  ERR_LEASE_LOST: 'lease_lost',
  ERR_STORE_UNAVAILABLE: 'store_unavailable',
  ERR_UNSERIALIZABLE: 'invalid',
};

/** Reports a call to the instrumentation, if there is any. */
export async function observed<Tx, T>(
  core: Core<Tx>,
  call: Call,
  next: () => Promise<RunResult<T>>,
): Promise<RunResult<T>> {
  const { instrumentation, clock, store } = core;
  if (!instrumentation.aroundRun && !instrumentation.onOutcome) return next();
  const { tenant, operation } = call.key;
  const info: RunInfo = { store: store.name, tenant, operation, traceparent: call.traceparent };
  const startedAt = clock.monotonic();
  let outcome: Outcome = 'failed';
  try {
    const around = instrumentation.aroundRun;
    const result = await (around ? around.call(instrumentation, info, next) : next());
    const { replayed, bypassed } = result as RunResult<T>;
    outcome = bypassed ? 'bypassed' : replayed ? 'replayed' : 'executed';
    return result as RunResult<T>;
  } catch (error) {
    if (error instanceof IdempotencyError) outcome = outcomeByCode[error.code] ?? 'failed';
    throw error;
  } finally {
    instrumentation.onOutcome?.({ ...info, outcome, durationMs: clock.monotonic() - startedAt });
  }
}
