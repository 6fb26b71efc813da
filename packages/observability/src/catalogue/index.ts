import type { MetricCatalogue, MetricDefinition } from '../metrics/definition.ts';
import { idempotencyMetrics } from './idempotency.ts';
import { processMetrics } from './process.ts';
import { queueMetrics } from './queue.ts';
import { rateLimitMetrics } from './ratelimit.ts';
import { runMetrics } from './runs.ts';
import { workspaceMetrics } from './workspace.ts';

/** Every metric of this package, by topic: the documentation, the rules and the dashboards are checked against it. */
export const catalogue: Readonly<
  Record<'queue' | 'rateLimit' | 'workspace' | 'idempotency' | 'runs' | 'process', MetricCatalogue>
> = {
  queue: queueMetrics,
  rateLimit: rateLimitMetrics,
  workspace: workspaceMetrics,
  idempotency: idempotencyMetrics,
  runs: runMetrics,
  process: processMetrics,
};

/** The rows of the catalogue, one after the other. */
export const allMetrics: readonly MetricDefinition[] = Object.values(catalogue).flatMap((group) =>
  Object.values(group),
);

export { idempotencyMetrics, processMetrics, queueMetrics, rateLimitMetrics, runMetrics, workspaceMetrics };
