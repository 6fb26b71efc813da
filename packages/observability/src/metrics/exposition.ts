import type { MetricDefinition } from './definition.ts';
import type { Exemplar, Family, HistogramFamily, HistogramSeries, NumberFamily } from './instruments.ts';

/** Which text is written: Prometheus 0.0.4, or OpenMetrics 1.0 (with exemplars). */
export type ExpositionFormat = 'text' | 'openmetrics';

/** Content types of the formats. */
export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Lines of one metric with its header. */
export function renderFamily(family: Family, format: ExpositionFormat): string[] {
  const lines = header(family.definition, format);
  if ('edges' in family) renderHistogram(family, format, lines);
  else renderNumbers(family, lines);
  return lines;
}

function header({ name, type, unit, help }: MetricDefinition, format: ExpositionFormat): string[] {
  // OpenMetrics names a counter's family without its suffix.
  const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  const lines = [`# HELP ${family} ${escapeHelp(help)}`, `# TYPE ${family} ${type}`];
  if (format === 'openmetrics' && family.endsWith(`_${unit}`)) lines.push(`# UNIT ${family} ${unit}`);
  return lines;
}

function renderNumbers({ definition, table }: NumberFamily, lines: string[]): void {
  for (const { labelText, value } of table.all()) {
    lines.push(`${definition.name}${labelText === '' ? '' : `{${labelText}}`} ${formatNumber(value)}`);
  }
}

function renderHistogram(family: HistogramFamily, format: ExpositionFormat, lines: string[]): void {
  const buckets = family.edges.length + 1;
  for (const series of family.table.all()) {
    const heads = lineHeads(family, series, format);
    let cumulative = 0;
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      cumulative += series.counts[bucket] ?? 0;
      const exemplar = format === 'openmetrics' ? series.exemplars?.[bucket] : undefined;
      lines.push(`${heads[bucket]}${cumulative}${exemplar === undefined ? '' : exemplarText(exemplar)}`);
    }
    lines.push(`${heads[buckets]}${formatNumber(series.sum)}`, `${heads[buckets + 1]}${cumulative}`);
  }
}

/** A histogram's lines differ between scrapes only in their numbers: the rest is built once. */
function lineHeads(family: HistogramFamily, series: HistogramSeries, format: ExpositionFormat): readonly string[] {
  const known = series.lineHeads.get(format);
  if (known !== undefined) return known;
  const { name } = family.definition;
  const comma = series.labelText === '' ? '' : `${series.labelText},`;
  const plain = series.labelText === '' ? '' : `{${series.labelText}}`;
  const edges = [...family.edges.map((edge) => edgeText(edge, format)), '+Inf'];
  const heads = edges.map((edge) => `${name}_bucket{${comma}le="${edge}"} `);
  heads.push(`${name}_sum${plain} `, `${name}_count${plain} `);
  series.lineHeads.set(format, heads);
  return heads;
}

/** OpenMetrics wants `le` as a float in canonical form: "5.0", where Prometheus' own text has "5". */
function edgeText(edge: number, format: ExpositionFormat): string {
  return format === 'openmetrics' && Number.isInteger(edge) ? `${edge}.0` : String(edge);
}

function exemplarText({ traceId, value, at }: Exemplar): string {
  return ` # {trace_id="${traceId}"} ${formatNumber(value)} ${at.toFixed(3)}`;
}

/** A number as both formats write it. */
export function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** Escapes a help text. */
export function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
