import type { Metric, Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import { MetricConflictError } from '../errors.ts';
import { Collectors } from './collectors.ts';
import { defineMetric, type MetricCatalogue, type MetricDefinition } from './definition.ts';
import { type ExpositionFormat, renderFamily } from './exposition.ts';
import { renderForeign } from './foreign.ts';
import { type Family, HistogramFamily, type Instruments, NumberFamily } from './instruments.ts';
import { bridge } from './prom-client.ts';

/** Options of {@link createMeter}. */
export interface MeterOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Series per metric with open labels; more go to the `__other__` series. */
  readonly maxSeries: number;
  /** Milliseconds after which an unused series with open labels is dropped. */
  readonly ttl: number;
  /** Milliseconds that a collector may take. */
  readonly collectTimeout: number;
}

/** Makes instruments and writes them out. */
export interface Meter {
  /**
   * Makes the instruments of a catalogue and puts them into the registry.
   * @throws MetricConflictError when one of the names is in the registry already
   */
  register<const C extends MetricCatalogue>(catalogue: C): Instruments<C>;
  /** Runs before each scrape, at most once a second; for gauges that are read and not counted. */
  readonly collectors: Collectors;
  /** What `/metrics` answers. */
  render(format: ExpositionFormat): Promise<string>;
  /** Definitions of everything registered here. */
  definitions(): readonly MetricDefinition[];
  /** Series that exist now. */
  seriesCount(): number;
}

/** Lines after which the event loop gets its turn. */
const linesPerTurn = 2_000;

/** Creates a meter over a prom-client registry. `onOverflow` is told the metric whose limit was met. */
export function createMeter(options: MeterOptions, onOverflow: (metric: string) => void): Meter {
  const { registry, clock, maxSeries, ttl } = options;
  const families: Family[] = [];
  const bridged = new WeakSet<object>();
  const collectors = new Collectors(clock, options.collectTimeout);

  const add = (definition: MetricDefinition): Family => {
    if (registry.getSingleMetric(definition.name) !== undefined) {
      throw new MetricConflictError(
        `The registry has a metric \`${definition.name}\` already: register it once, or rename yours.`,
      );
    }
    const shared = { maxSeries, ttl, now: () => clock.now(), onOverflow: () => onOverflow(definition.name) };
    const family =
      definition.type === 'histogram' ? new HistogramFamily(definition, shared) : new NumberFamily(definition, shared);
    const metric = bridge(family, () => collectors.run());
    bridged.add(metric);
    // prom-client's registry asks a metric only for `name` and `get()`; its type names its own classes.
    registry.registerMetric(metric as unknown as Metric);
    families.push(family);
    return family;
  };

  return {
    collectors,
    definitions: () => families.map(({ definition }) => definition),
    seriesCount: () => families.reduce((sum, { table }) => sum + table.size, 0),
    register: (catalogue) => {
      const made = Object.entries(catalogue).map(([key, definition]) => [key, add(defineMetric(definition))] as const);
      return Object.fromEntries(made) as unknown as Instruments<typeof catalogue>;
    },
    render: async (format) => {
      await collectors.run();
      const parts: string[] = [];
      let lines = 0;
      for (const family of families) {
        family.table.sweep(clock.now());
        const text = renderFamily(family, format);
        parts.push(text.join('\n'));
        lines += text.length;
        if (lines > linesPerTurn) {
          lines = 0;
          await nextTurn();
        }
      }
      const foreign = await renderForeign(registry, (metric) => bridged.has(metric), format);
      if (foreign.length > 0) parts.push(foreign.join('\n'));
      return `${parts.join('\n')}\n${format === 'openmetrics' ? '# EOF\n' : ''}`;
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
