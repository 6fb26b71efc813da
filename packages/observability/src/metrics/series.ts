import { hasOpenLabels, type MetricDefinition } from './definition.ts';

/** The label value that stands for everything that was not given a series of its own. */
export const OTHER = '__other__';

/** Longer label values are cut: a label is a name, not a message. */
const maxLabelLength = 128;

/** One line of a metric: its labels and whether it was used since the last look. */
export interface Series {
  readonly values: readonly string[];
  /** `queue="mail",state="ready"`, escaped. */
  readonly labelText: string;
  touched: boolean;
  seenAt: number;
}

/** Options of a {@link SeriesTable}. */
export interface SeriesTableOptions<S extends Series> {
  readonly definition: MetricDefinition;
  readonly maxSeries: number;
  /** Milliseconds after which an unused series is dropped; only metrics with open labels forget. */
  readonly ttl: number;
  readonly create: (values: readonly string[], labelText: string) => S;
  /** An observation went to the overflow series. */
  readonly onOverflow: () => void;
}

type Node<S> = Map<string, Node<S>> | S;
/** As many labels as a metric may have. */
export type LabelPlaces = [
  a?: string | undefined,
  b?: string | undefined,
  c?: string | undefined,
  d?: string | undefined,
];

/**
 * The series of one metric, found by label values through nested maps: no key string is built, so a hit allocates nothing.
 * Never more than `maxSeries` of them come from open labels, whatever values callers send: what does not fit goes to the
 * series whose open labels are `__other__`.
 */
export class SeriesTable<S extends Series> {
  readonly #options: SeriesTableOptions<S>;
  readonly #forgets: boolean;
  readonly #arity: number;
  #root: Node<S> | undefined;
  #all: S[] = [];
  #epoch = 0;
  /** What was found last, by the values it was asked for with: neighbours in a batch are mostly alike. */
  #last: S | undefined;
  #a: string | undefined;
  #b: string | undefined;
  #c: string | undefined;
  #d: string | undefined;

  constructor(options: SeriesTableOptions<S>) {
    this.#options = options;
    this.#forgets = hasOpenLabels(options.definition);
    this.#arity = options.definition.labels.length;
  }

  get size(): number {
    return this.#all.length;
  }

  /** Another one whenever series were dropped. */
  get epoch(): number {
    return this.#epoch;
  }

  /** All series, in the order in which they began. */
  all(): readonly S[] {
    return this.#all;
  }

  /** The series of these label values; made on first use. They are parameters and no array, since one would be made per observation. */
  find(a?: string, b?: string, c?: string, d?: string): S {
    let series = this.#last;
    if (series === undefined || a !== this.#a || b !== this.#b || c !== this.#c || d !== this.#d) {
      series = this.#lookup(a, b, c, d);
      // What overflows is not remembered: every one of it is counted.
      if (series === undefined) series = this.#miss([a, b, c, d]);
      else this.#remember(series, a, b, c, d);
    }
    series.touched = true;
    return series;
  }

  #remember(series: S, a?: string, b?: string, c?: string, d?: string): void {
    this.#last = series;
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }

  /** Drops what was not used for the time to live. */
  sweep(now: number): void {
    if (!this.#forgets) return;
    const kept = this.#all.filter((series) => this.#isAlive(series, now));
    if (kept.length === this.#all.length) return;
    this.clear();
    this.#all = kept;
    for (const series of kept) this.#insert(series);
  }

  clear(): void {
    this.#epoch += 1;
    this.#all = [];
    this.#root = undefined;
    this.#last = undefined;
  }

  #isAlive(series: S, now: number): boolean {
    if (series.touched) {
      series.touched = false;
      series.seenAt = now;
    }
    return now - series.seenAt < this.#options.ttl;
  }

  #miss(raw: readonly (string | undefined)[]): S {
    const { definition, maxSeries, onOverflow } = this.#options;
    const values = definition.labels.map((label, index) => this.#bounded(label, raw[index]));
    const known = this.#lookup(...(values as LabelPlaces));
    if (known !== undefined) return known;
    if (!this.#forgets || this.#all.length < maxSeries) return this.#add(values);
    onOverflow();
    const folded = values.map((value, index) => (this.#isOpen(definition.labels[index] ?? '') ? OTHER : value));
    return this.#lookup(...(folded as LabelPlaces)) ?? this.#add(folded);
  }

  #isOpen(label: string): boolean {
    return this.#options.definition.values?.[label] === undefined;
  }

  #bounded(label: string, value: unknown): string {
    const text = String(value ?? '').slice(0, maxLabelLength);
    const closed = this.#options.definition.values?.[label];
    return closed === undefined || closed.includes(text) ? text : OTHER;
  }

  #lookup(a?: string, b?: string, c?: string, d?: string): S | undefined {
    let node = this.#root;
    if (this.#arity > 0) node = within(node, a);
    if (this.#arity > 1) node = within(node, b);
    if (this.#arity > 2) node = within(node, c);
    if (this.#arity > 3) node = within(node, d);
    return node as S | undefined;
  }

  #add(values: readonly string[]): S {
    const { definition, create } = this.#options;
    const labelText = definition.labels
      .map((label, index) => `${label}="${escapeLabel(values[index] ?? '')}"`)
      .join(',');
    const series = create(values, labelText);
    this.#all.push(series);
    this.#insert(series);
    return series;
  }

  #insert(series: S): void {
    const path = [...series.values];
    const last = path.pop();
    if (last === undefined) {
      this.#root = series;
      return;
    }
    this.#root ??= new Map();
    let node = this.#root as Map<string, Node<S>>;
    for (const value of path) {
      const next = node.get(value) ?? new Map<string, Node<S>>();
      node.set(value, next);
      node = next as Map<string, Node<S>>;
    }
    node.set(last, series);
  }
}

/** The series of label values that stay: found once, and again when its table has dropped series. */
export class BoundSeries<S extends Series> {
  readonly #table: SeriesTable<S>;
  readonly #labels: LabelPlaces;
  #series: S | undefined;
  #epoch = 0;

  constructor(table: SeriesTable<S>, labels: LabelPlaces) {
    this.#table = table;
    this.#labels = labels;
  }

  get(): S {
    const series = this.#series;
    if (series === undefined || this.#epoch !== this.#table.epoch) return this.#find();
    series.touched = true;
    return series;
  }

  #find(): S {
    const series = this.#table.find(...this.#labels);
    this.#epoch = this.#table.epoch;
    // Another series than that of these values is one that many share: every use of it is counted, so it is not kept.
    const isOwn = series.values.every((value, index) => value === this.#labels[index]);
    this.#series = isOwn ? series : undefined;
    return series;
  }
}

function within<S>(node: Node<S> | undefined, value: string | undefined): Node<S> | undefined {
  return (node as Map<string | undefined, Node<S>> | undefined)?.get(value);
}

/** Escapes a label value for both exposition formats. */
export function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
