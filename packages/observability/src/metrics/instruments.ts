import {
  bucketEdges,
  type LabelValues,
  type MetricCatalogue,
  type MetricDefinition,
  readySeries,
} from './definition.ts';
import { BoundSeries, type Series, SeriesTable, type SeriesTableOptions } from './series.ts';

/** A counter for label values that are given once: what happens very often then looks nothing up. */
export interface BoundCounter {
  /** As {@link Counter.add}. */
  add(amount: number): void;
}

/** A histogram for label values that are given once. */
export interface BoundHistogram {
  /** As {@link Histogram.observe}. */
  observe(value: number): void;
}

/** A number that only grows. */
export interface Counter<D extends MetricDefinition = MetricDefinition> {
  /** Adds `amount` (0 or more; anything else is ignored) to the series of these label values. */
  add(amount: number, ...labels: LabelValues<D>): void;
  /** The counter of these label values. It makes no series before its first use. */
  bind(...labels: LabelValues<D>): BoundCounter;
}

/** A number that goes up and down. */
export interface Gauge<D extends MetricDefinition = MetricDefinition> {
  set(value: number, ...labels: LabelValues<D>): void;
  add(delta: number, ...labels: LabelValues<D>): void;
}

/** A distribution of values. */
export interface Histogram<D extends MetricDefinition = MetricDefinition> {
  /** Counts one value; for times, in seconds. */
  observe(value: number, ...labels: LabelValues<D>): void;
  /** The histogram of these label values. It makes no series before its first use. */
  bind(...labels: LabelValues<D>): BoundHistogram;
  /** Names a trace as an example of the bucket that `value` falls into; counts nothing. Shown in OpenMetrics only. */
  exemplify(value: number, traceId: string, ...labels: LabelValues<D>): void;
}

/** The instrument that a definition makes. */
export type InstrumentOf<D extends MetricDefinition> = D['type'] extends 'counter'
  ? Counter<D>
  : D['type'] extends 'gauge'
    ? Gauge<D>
    : Histogram<D>;

/** The instruments of a catalogue, by its keys. */
export type Instruments<C extends MetricCatalogue> = { readonly [K in keyof C]: InstrumentOf<C[K]> };

/** A counter's or gauge's value. */
export interface NumberSeries extends Series {
  value: number;
}

/** Of which trace a bucket's example is. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Seconds since 1970. */
  readonly at: number;
}

/** A histogram's counts; `counts` has one more entry than there are edges. */
export interface HistogramSeries extends Series {
  readonly counts: Float64Array;
  sum: number;
  exemplars: (Exemplar | undefined)[] | undefined;
  /** Beginnings of its lines per format, made by the first scrape. */
  readonly lineHeads: Map<string, readonly string[]>;
}

/** What an instrument shares with all others. */
export type FamilyOptions = Omit<SeriesTableOptions<Series>, 'create' | 'definition'> & { readonly now: () => number };

/** A counter or gauge with its series. */
export class NumberFamily {
  readonly definition: MetricDefinition;
  readonly table: SeriesTable<NumberSeries>;
  readonly #grows: boolean;

  constructor(definition: MetricDefinition, options: FamilyOptions) {
    this.definition = definition;
    this.#grows = definition.type === 'counter';
    const create = (values: readonly string[], labelText: string): NumberSeries => ({
      values,
      labelText,
      touched: true,
      seenAt: options.now(),
      value: 0,
    });
    this.table = new SeriesTable({ ...options, definition, create });
    for (const [a, b, c, d] of readySeries(definition)) this.table.find(a, b, c, d);
  }

  add(amount: number, a?: string, b?: string, c?: string, d?: string): void {
    if (this.#takes(amount)) this.table.find(a, b, c, d).value += amount;
  }

  bind(a?: string, b?: string, c?: string, d?: string): BoundCounter {
    const bound = new BoundSeries(this.table, [a, b, c, d]);
    return {
      add: (amount) => {
        if (this.#takes(amount)) bound.get().value += amount;
      },
    };
  }

  #takes(amount: number): boolean {
    return this.#grows ? amount >= 0 : !Number.isNaN(amount);
  }

  set(value: number, a?: string, b?: string, c?: string, d?: string): void {
    this.table.find(a, b, c, d).value = value;
  }
}

/** A histogram with its series. */
export class HistogramFamily {
  readonly definition: MetricDefinition;
  readonly edges: readonly number[];
  readonly table: SeriesTable<HistogramSeries>;
  readonly #now: () => number;

  constructor(definition: MetricDefinition, options: FamilyOptions) {
    this.definition = definition;
    this.edges = bucketEdges(definition);
    this.#now = options.now;
    const create = (values: readonly string[], labelText: string): HistogramSeries => ({
      values,
      labelText,
      touched: true,
      seenAt: options.now(),
      counts: new Float64Array(this.edges.length + 1),
      sum: 0,
      exemplars: undefined,
      lineHeads: new Map(),
    });
    this.table = new SeriesTable({ ...options, definition, create });
  }

  observe(value: number, a?: string, b?: string, c?: string, d?: string): void {
    if (!Number.isNaN(value)) this.#count(this.table.find(a, b, c, d), value);
  }

  bind(a?: string, b?: string, c?: string, d?: string): BoundHistogram {
    const bound = new BoundSeries(this.table, [a, b, c, d]);
    return {
      observe: (value) => {
        if (!Number.isNaN(value)) this.#count(bound.get(), value);
      },
    };
  }

  exemplify(value: number, traceId: string, a?: string, b?: string, c?: string, d?: string): void {
    const series = this.table.find(a, b, c, d);
    series.exemplars ??= new Array(this.edges.length + 1).fill(undefined);
    series.exemplars[this.#bucketOf(value)] = { traceId, value, at: this.#now() / 1_000 };
  }

  #count(series: HistogramSeries, value: number): void {
    const bucket = this.#bucketOf(value);
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += value;
  }

  /** Edges are inclusive (`le`): exactly 5 s is within 5 s. */
  #bucketOf(value: number): number {
    const { edges } = this;
    let bucket = 0;
    while (bucket < edges.length && value > (edges[bucket] as number)) bucket += 1;
    return bucket;
  }
}

/** Any instrument with its series. */
export type Family = NumberFamily | HistogramFamily;
