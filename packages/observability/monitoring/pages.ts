import { catalogue } from '../src/catalogue/index.ts';
import { bucketEdges, type MetricDefinition } from '../src/metrics/definition.ts';
import type { Alert } from './alert.ts';
import { alerts } from './rules.ts';

const made = '<!-- Made by `npm run generate -w @millrace/observability`; edit the tables it is made from. -->';

const topics: Readonly<Record<keyof typeof catalogue, string>> = {
  queue: 'Jobs: `obs.queue` and `obs.watchQueue`',
  rateLimit: 'Calls to providers: `obs.rateLimit`',
  workspace: 'Workspaces: `obs.workspace`',
  idempotency: 'Idempotency: `obs.idempotency`',
  runs: 'Runs, CI and live events: `obs.runs`',
  process: 'Process and observability: by itself, and `obs.process`',
};

/** The page of all metrics. */
export function metricsPage(): string {
  const sections = Object.entries(topics).map(([topic, title]) => {
    const rows = Object.values(catalogue[topic as keyof typeof catalogue]).map(metricRow);
    return `## ${title}\n\n| metric | type | labels | what it is | when it moves |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  const introduction =
    'Labels in *italics* are open: any value, at most `metrics.maxSeries` series per metric, the rest in `__other__`. ' +
    'The others have the values that are listed. Times are seconds, data are bytes.';
  return `${made}\n# Metrics\n\n${introduction}\n\n${sections.join('\n')}`;
}

function metricRow(metric: MetricDefinition): string {
  const labels = metric.labels.map((label) => {
    const values = metric.values?.[label];
    return values === undefined ? `*${label}*` : `${label}: ${values.map((value) => `\`${value}\``).join(' ')}`;
  });
  const edges = metric.type === 'histogram' ? `<br>edges: ${bucketEdges(metric).join(', ')}` : '';
  return `| \`${metric.name}\` | ${metric.type} | ${labels.join('<br>')} | ${metric.help}${edges} | ${metric.advice} |`;
}

/** The page of one alert. */
export function runbookPage(alert: Alert): string {
  const list = (items: readonly string[]): string => items.map((item, index) => `${index + 1}. ${item}`).join('\n');
  return [
    made,
    `# ${alert.name}\n`,
    `${alert.severity === 'page' ? 'Pages somebody.' : 'Makes a ticket.'} Fires when this holds for ${alert.for}:\n`,
    `\`\`\`promql\n${alert.expr}\n\`\`\`\n`,
    `**What users notice.** ${alert.impact}\n`,
    `## Look\n\n${list(alert.look)}\n`,
    `## Act\n\n${list(alert.act)}\n`,
  ].join('\n');
}

/** The list of all runbooks. */
export function runbookIndex(): string {
  const rows = alerts.map((alert) => `| [${alert.name}](./${alert.name}.md) | ${alert.severity} | ${alert.impact} |`);
  const introduction =
    'A page per alert of `packages/observability/rules/millrace.yml`: what it means, what to look at, what to do.';
  return `${made}\n# Runbooks\n\n${introduction}\n\n| alert | severity | what users notice |\n|---|---|---|\n${rows.join('\n')}\n`;
}
