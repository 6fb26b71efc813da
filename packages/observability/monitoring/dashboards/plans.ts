import { external } from './external.ts';
import { overview } from './flow.ts';
import { queue, tenants } from './jobs.ts';
import { idempotency, workers, workspaces } from './keeping.ts';
import type { DashboardPlan } from './panel.ts';
import { runs } from './runs.ts';

/** All dashboards. */
export const dashboardPlans: readonly DashboardPlan[] = [
  overview,
  runs,
  queue,
  tenants,
  external,
  workspaces,
  idempotency,
  workers,
];
