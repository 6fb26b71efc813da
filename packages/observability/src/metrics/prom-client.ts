import type { Family, HistogramFamily, NumberFamily } from './instruments.ts';

/** A line as prom-client's registry writes it. */
interface RegistryValue {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** What prom-client's registry asks of a metric. */
export interface RegistryMetric {
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: 'sum';
  get(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: string;
    readonly aggregator: 'sum';
    readonly values: readonly RegistryValue[];
  }>;
  reset(): void;
}

/** Shows a family to a prom-client registry, so that `registry.metrics()`, push gateways and mergers see it too. */
export function bridge(family: Family, collect: () => Promise<void>): RegistryMetric {
  const { name, help, type } = family.definition;
  return {
    name,
    help,
    type,
    aggregator: 'sum',
    async get() {
      await collect();
      const values = 'edges' in family ? histogramValues(family) : numberValues(family);
      return { name: this.name, help, type, aggregator: 'sum', values };
    },
    reset: () => family.table.clear(),
  };
}

function numberValues({ definition, table }: NumberFamily): RegistryValue[] {
  return table.all().map(({ values, value }) => ({ labels: labelsOf(definition.labels, values), value }));
}

function histogramValues({ definition: { name, labels: names }, edges, table }: HistogramFamily): RegistryValue[] {
  return table.all().flatMap((series) => {
    const labels = labelsOf(names, series.values);
    let cumulative = 0;
    const buckets = [...edges, '+Inf'].map((le, index) => {
      cumulative += series.counts[index] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative };
    });
    const sum = { metricName: `${name}_sum`, labels, value: series.sum };
    return [...buckets, sum, { metricName: `${name}_count`, labels, value: cumulative }];
  });
}

function labelsOf(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((label, index) => [label, values[index] ?? '']));
}
