import type { queueMetrics } from '../catalogue/queue.ts';
import { attemptOutcomes } from '../catalogue/values.ts';
import type { BoundCounter, BoundHistogram, Instruments } from '../metrics/instruments.ts';
import { OTHER } from '../metrics/series.ts';

type Outcome = (typeof attemptOutcomes)[number];

/** The series of one of the busiest tenants, or of all the others together. */
export interface TenantSeries {
  readonly wait: BoundHistogram;
  readonly rejected: BoundCounter;
  readonly ended: Readonly<Record<Outcome, BoundCounter>>;
  /** For what a later version of the queue may say. */
  readonly endedOtherwise: BoundCounter;
}

/** Series that are found once per tenant, since every job has one. */
export function tenantSeries(metrics: Instruments<typeof queueMetrics>, tenant: string): TenantSeries {
  const ended = attemptOutcomes.map((outcome) => [outcome, metrics.tenantJobs.bind(tenant, outcome)] as const);
  return {
    wait: metrics.tenantWait.bind(tenant),
    rejected: metrics.tenantRejected.bind(tenant),
    ended: Object.fromEntries(ended) as TenantSeries['ended'],
    endedOtherwise: metrics.tenantJobs.bind(tenant, OTHER as Outcome),
  };
}
