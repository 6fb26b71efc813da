import { MetricDefinitionError } from '../errors.ts';
import { type BucketSet, bucketSets } from './buckets.ts';

/** Kind of a metric. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** What a metric's value is measured in. Time is always seconds and data always bytes, as Prometheus asks. */
export type MetricUnit = 'seconds' | 'bytes' | 'ratio' | 'usd' | 'count' | 'state';

/** One metric: a row of the catalogue. */
export interface MetricDefinition {
  /** `snake_case`, with the unit at its end (`_seconds`, `_bytes`); a counter ends with `_total`. */
  readonly name: string;
  readonly type: MetricType;
  readonly unit: MetricUnit;
  /** What it is, in one sentence. */
  readonly help: string;
  /** Label names in the order in which an instrument takes their values; 4 at most. */
  readonly labels: readonly string[];
  /** The closed set of values of a label. A label that is missing here is *open*: any string, bounded by the series limit. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
  /** Upper edges of a histogram's buckets, ascending: a named set or your own numbers. @default 'short' */
  readonly buckets?: BucketSet | readonly number[];
  /** What to look at when it moves; shown in the generated documentation. */
  readonly advice: string;
}

/** Definitions by the names under which code uses them. */
export type MetricCatalogue = Readonly<Record<string, MetricDefinition>>;

type ValueOf<Closed, L> = L extends keyof Closed
  ? Closed[L] extends readonly (infer V extends string)[]
    ? V
    : string
  : string;

type ValuesInOrder<Labels extends readonly string[], Closed> = {
  readonly [I in keyof Labels]: ValueOf<Closed, Labels[I]>;
};

/** The label values of a metric, in the order of its `labels`; a closed label takes only the values of its set. */
export type LabelValues<D extends MetricDefinition> = ValuesInOrder<
  D['labels'],
  D extends { readonly values: infer V } ? V : unknown
>;

/**
 * Declares a metric of your own, with its label values typed.
 *
 * @throws MetricDefinitionError when name, labels or buckets cannot be used
 * @example
 * ```ts
 * const mails = defineMetric({
 *   name: 'shop_mails_total', type: 'counter', unit: 'count', help: 'Mails sent.',
 *   labels: ['result'], values: { result: ['ok', 'failed'] }, advice: 'Look at the mail provider.',
 * });
 * const { sent } = obs.register({ sent: mails });
 * sent.add(1, 'ok');
 * ```
 */
export function defineMetric<const D extends MetricDefinition>(definition: D): D {
  const problem = problemOf(definition);
  if (problem !== undefined) throw new MetricDefinitionError(`Metric \`${definition.name}\`: ${problem}`);
  return definition;
}

/** Upper edges of a histogram's buckets, without the last one (+Inf). */
export function bucketEdges({ buckets = 'short' }: MetricDefinition): readonly number[] {
  return typeof buckets === 'string' ? bucketSets[buckets] : buckets;
}

/** Whether any label of the metric is open: only such a metric can grow without bound. */
export function hasOpenLabels({ labels, values }: MetricDefinition): boolean {
  return labels.some((label) => values?.[label] === undefined);
}

/** More series than this are not made before something happened. */
const maxReady = 64;

/**
 * Every combination of label values, where they are all closed and few. A counter shows these as 0 from its start on: `increase()` sees a
 * first event only where there was a 0 before it, and a panel tells "nothing has failed" from "nothing is measured".
 */
export function readySeries({ type, labels, values = {} }: MetricDefinition): readonly (readonly string[])[] {
  if (type !== 'counter') return [];
  const sets = labels.map((label) => values[label]);
  const count = sets.reduce((product, set) => product * (set?.length ?? Number.POSITIVE_INFINITY), 1);
  if (count > maxReady) return [];
  return sets.reduce<readonly (readonly string[])[]>(
    (heads, set = []) => heads.flatMap((head) => set.map((value) => [...head, value])),
    [[]],
  );
}

function problemOf(definition: MetricDefinition): string | undefined {
  const { name, type, labels, values = {} } = definition;
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return 'the name must be snake_case.';
  if ((type === 'counter') !== name.endsWith('_total')) return 'a counter, and only a counter, ends with `_total`.';
  if (labels.length > 4)
    return `it has ${labels.length} labels; 4 is the limit, more are more series than anybody reads.`;
  if (new Set(labels).size < labels.length) return 'a label is named twice.';
  const bad = labels.find((label) => !/^[a-z][a-z0-9_]*$/.test(label) || label === 'le');
  if (bad !== undefined) return `label \`${bad}\` must be snake_case and not \`le\`.`;
  const stray = Object.keys(values).find((label) => !labels.includes(label));
  if (stray !== undefined) return `\`values\` names \`${stray}\`, which is not one of its labels.`;
  const edges = bucketEdges(definition);
  const ascending = edges.every(
    (edge, index) => Number.isFinite(edge) && (index === 0 || edge > (edges[index - 1] ?? 0)),
  );
  return ascending && edges.length > 0 ? undefined : 'buckets must be finite and ascending, and at least one.';
}
