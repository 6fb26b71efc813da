import type { idempotencyMetrics } from '../catalogue/idempotency.ts';
import type { Instruments } from '../metrics/instruments.ts';
import type { InstrumentParts } from './parts.ts';

type Outcome = Parameters<Instruments<typeof idempotencyMetrics>['calls']['add']>[2];

interface RunFacts {
  readonly store: string;
  readonly tenant: string;
  readonly operation: string;
}

interface ExecutionFacts extends RunFacts {
  readonly fence: number;
  readonly attempt: number;
}

/** `IdempotencyInstrumentation` of `@millrace/idempotency`, by its shape. Keys are never seen here. */
export interface IdempotencyHooks {
  aroundRun<T>(run: RunFacts, next: () => Promise<T>): Promise<T>;
  aroundExecution<T>(execution: ExecutionFacts, next: () => Promise<T>): Promise<T>;
  onOutcome(event: RunFacts & { readonly outcome: Outcome; readonly durationMs: number }): void;
  onTakeover(event: ExecutionFacts): void;
  onLeaseLost(event: ExecutionFacts): void;
  onCache(event: { readonly operation: string; readonly outcome: 'hit' | 'miss' }): void;
  onSwept(event: { readonly store: string; readonly deleted: number; readonly parked: number }): void;
  onStore(event: { readonly store: string; readonly available: boolean; readonly error: unknown }): void;
}

/** Creates the hooks of idempotency. */
export function idempotencyHooks(
  metrics: Instruments<typeof idempotencyMetrics>,
  { tracing, events }: InstrumentParts,
): IdempotencyHooks {
  const attributes = ({ operation, tenant, store }: RunFacts) => ({
    'millrace.idempotency.operation': operation,
    'millrace.idempotency.store': store,
    'millrace.tenant': tenant,
  });
  return {
    aroundRun: (run, next) =>
      tracing.span(`idempotent ${run.operation}`, { attributes: attributes(run) }, () => next()),
    aroundExecution: (execution, next) => {
      const facts = { ...attributes(execution), 'millrace.idempotency.fence': execution.fence };
      return tracing.span(`execute ${execution.operation}`, { attributes: facts }, () => next());
    },
    onOutcome: ({ store, operation, outcome, durationMs }) => {
      metrics.calls.add(1, operation, outcome);
      metrics.seconds.observe(durationMs / 1_000, operation, outcome);
      if (outcome !== 'executed') return;
      // It spoke with the store; and what has not happened to this operation yet is shown as 0.
      metrics.storeUp.set(1, store);
      metrics.takeovers.add(0, operation);
      metrics.leaseLost.add(0, operation);
    },
    onTakeover: ({ operation, tenant, fence, attempt }) => {
      metrics.takeovers.add(1, operation);
      events.write('warn', 'idempotency.takeover', { operation, tenant, fence, attempt });
    },
    onLeaseLost: ({ operation, tenant, fence }) => {
      metrics.leaseLost.add(1, operation);
      events.write('error', 'idempotency.lease_lost', { operation, tenant, fence });
    },
    onCache: ({ outcome }) => metrics.cache.add(1, outcome),
    onSwept: ({ deleted, parked }) => {
      metrics.swept.add(deleted, 'deleted');
      metrics.swept.add(parked, 'parked');
    },
    onStore: ({ store, available, error }) => {
      metrics.storeUp.set(available ? 1 : 0, store);
      const fields = error === undefined ? { store } : { store, err: error };
      events.write(
        available ? 'info' : 'error',
        available ? 'idempotency.store_back' : 'idempotency.store_down',
        fields,
      );
    },
  };
}
