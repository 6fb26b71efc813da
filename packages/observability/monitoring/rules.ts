import { stringify } from 'yaml';
import type { Alert } from './alert.ts';
import { externalAlerts } from './alerts/external.ts';
import { machineAlerts } from './alerts/machine.ts';
import { queueAlerts } from './alerts/queue.ts';
import { recordings, sloAlerts } from './slo.ts';

/** Every alert. */
export const alerts: readonly Alert[] = [...sloAlerts, ...queueAlerts, ...externalAlerts, ...machineAlerts];

/** Where an alert's page is, from the root of the repository. */
export function runbookPath({ name }: Alert): string {
  return `docs/operations/runbooks/${name}.md`;
}

const groups = [
  { name: 'millrace-slo', interval: '30s', rules: recordings },
  { name: 'millrace-alerts', interval: '30s', rules: alerts.map(toRule) },
];

/** Names of the groups, those first whose results others read. */
export const groupOrder: readonly string[] = groups.map(({ name }) => name);

/** The rule file of Prometheus. */
export function ruleFile(): string {
  return `# Made by \`npm run generate -w @millrace/observability\` from monitoring/; edit there.\n${stringify({ groups }, { lineWidth: 0 })}`;
}

function toRule(alert: Alert): object {
  return {
    alert: alert.name,
    expr: alert.expr,
    for: alert.for,
    labels: { severity: alert.severity },
    annotations: { summary: alert.summary, description: alert.impact, runbook: runbookPath(alert) },
  };
}
