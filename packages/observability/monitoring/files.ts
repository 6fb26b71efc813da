import { toGrafana } from './dashboards/grafana.ts';
import { dashboardPlans } from './dashboards/plans.ts';
import { metricsPage, runbookIndex, runbookPage } from './pages.ts';
import { alerts, ruleFile, runbookPath } from './rules.ts';

/** Every generated file, by its path from the root of the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['packages/observability/rules/millrace.yml', ruleFile()],
    ['docs/observability-metrics.md', metricsPage()],
    ['docs/operations/runbooks/README.md', runbookIndex()],
    ...alerts.map((alert) => [runbookPath(alert), runbookPage(alert)] as const),
    ...dashboardPlans.map(
      (plan) => [`packages/observability/dashboards/${plan.uid}.json`, json(toGrafana(plan))] as const,
    ),
  ]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
