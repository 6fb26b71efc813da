import { parser } from '@prometheus-io/lezer-promql';
import { recordings, recordName, slos } from '../../monitoring/slo.ts';
import type { MetricDefinition } from '../../src/index.ts';
import { allMetrics } from '../../src/index.ts';

/** Labels that Prometheus gives to every series of a target. */
const targetLabels = ['instance', 'job'];

/** What an expression says about one metric. */
interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly values: readonly string[] }[];
}

/** What is wrong with a PromQL expression: syntax, metrics that are not in the catalogue, labels or values that they do not have. */
export function problemsOf(source: string): string[] {
  const expr = source.replaceAll('$__rate_interval', '1m');
  const { selectors, groupings, errors } = read(expr);
  if (errors > 0) return [`does not parse: ${expr}`];
  if (selectors.length === 0) return [`names no metric: ${expr}`];
  const known = selectors.flatMap(({ metric }) => labelsOf(metric) ?? []);
  return [
    ...selectors.flatMap(problemsOfSelector),
    ...groupings
      .filter((label) => !known.includes(label))
      .map((label) => `groups by ${label}, which none of its metrics has`),
  ];
}

function read(expr: string): { selectors: Selector[]; groupings: string[]; errors: number } {
  const selectors: { metric: string; matchers: { label: string; values: string[] }[] }[] = [];
  const groupings: string[] = [];
  let errors = 0;
  parser.parse(expr).iterate({
    enter: ({ name, from, to, type, node }) => {
      const text = expr.slice(from, to);
      if (type.isError) errors += 1;
      if (name === 'Identifier') selectors.push({ metric: text, matchers: [] });
      if (name === 'LabelName' && node.parent?.name === 'GroupingLabels') groupings.push(text);
      if (name !== 'UnquotedLabelMatcher') return;
      const [, label = '', operator = '', value = ''] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(text) ?? [];
      selectors.at(-1)?.matchers.push({ label, values: operator.endsWith('~') ? value.split('|') : [value] });
    },
  });
  return { selectors, groupings, errors };
}

function problemsOfSelector({ metric, matchers }: Selector): string[] {
  const labels = labelsOf(metric);
  if (labels === undefined) return [`${metric} is not in the catalogue`];
  const closed = definitionOf(metric)?.values ?? {};
  return matchers.flatMap(({ label, values }) => {
    if (!labels.includes(label)) return [`${metric} has no label ${label}`];
    const allowed = closed[label];
    return values
      .filter((value) => allowed !== undefined && !allowed.includes(value))
      .map((value) => `${metric}: ${label} is never ${value}`);
  });
}

/** Labels of a metric or of a recorded series; undefined for one that does not exist. */
function labelsOf(name: string): readonly string[] | undefined {
  if (recordings.some(({ record }) => record === name)) {
    const slo = slos.find((candidate) => recordName(candidate, '1h').split(':')[1] === name.split(':')[1]);
    return slo && [slo.by];
  }
  const definition = definitionOf(name);
  if (definition === undefined) return undefined;
  return [...definition.labels, ...targetLabels, ...(name.endsWith('_bucket') ? ['le'] : [])];
}

/** A histogram is only ever asked for by its three suffixes. */
function definitionOf(name: string): MetricDefinition | undefined {
  return allMetrics.find((metric) =>
    metric.type === 'histogram'
      ? [`${metric.name}_bucket`, `${metric.name}_sum`, `${metric.name}_count`].includes(name)
      : metric.name === name,
  );
}
