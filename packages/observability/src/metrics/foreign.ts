import type { Registry } from 'prom-client';
import { type ExpositionFormat, escapeHelp, formatNumber } from './exposition.ts';
import { escapeLabel } from './series.ts';

/** prom-client's type of a registered metric leaves out the method that its registry calls. */
interface Readable {
  get(): Promise<ForeignMetric>;
}

/** What prom-client's metrics answer to `get()`. */
interface ForeignMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly ForeignValue[];
}

interface ForeignValue {
  readonly metricName?: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly sharedLabels?: Readonly<Record<string, string | number | undefined>>;
}

/**
 * Lines of the metrics that users or libraries have put into the registry themselves. They are written here and not by
 * prom-client, which renames its counters for good once it has been asked for OpenMetrics.
 */
export async function renderForeign(
  registry: Registry,
  isOurs: (metric: object) => boolean,
  format: ExpositionFormat,
): Promise<string[]> {
  const lines: string[] = [];
  for (const metric of registry.getMetricsAsArray()) {
    if (!isOurs(metric)) lines.push(...render(await (metric as unknown as Readable).get(), format));
  }
  return lines;
}

function render({ name, help, type, values }: ForeignMetric, format: ExpositionFormat): string[] {
  const isCounter = type === 'counter' && format === 'openmetrics';
  const family = isCounter ? name.replace(/_total$/, '') : name;
  const lines = [`# HELP ${family} ${escapeHelp(help)}`, `# TYPE ${family} ${type}`];
  for (const { metricName, value, labels, sharedLabels } of values) {
    const sample = isCounter ? `${family}_total` : (metricName ?? name);
    const text = Object.entries({ ...sharedLabels, ...labels })
      .map(([label, labelValue]) => `${label}="${escapeLabel(String(labelValue ?? ''))}"`)
      .join(',');
    lines.push(`${sample}${text === '' ? '' : `{${text}}`} ${formatNumber(value)}`);
  }
  return lines;
}
