import type { Clock } from '../clock.ts';
import type { Context } from '../context.ts';
import type { EventLog } from '../log/events.ts';
import type { TopK } from '../metrics/top-k.ts';
import type { Tracing } from '../trace/tracing.ts';
import type { TenantSeries } from './tenants.ts';

/** What the four instrumentations share. */
export interface InstrumentParts {
  readonly clock: Clock;
  readonly context: Context;
  readonly tracing: Tracing;
  readonly events: EventLog;
  readonly tenants: TopK<TenantSeries>;
  /** How an attempt's trace belongs to its producer's. */
  readonly attemptTrace: 'link' | 'parent';
  /** Whether log lines of a handler carry the ids of its job. */
  readonly bindJobs: boolean;
}
