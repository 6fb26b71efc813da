/** A panel: what it shows and the questions it asks. */
export interface Panel {
  readonly title: string;
  /** Unit of Grafana: `s`, `bytes`, `percentunit`, `short`, `ops`, `currencyUSD`. */
  readonly unit: 's' | 'bytes' | 'percentunit' | 'short' | 'ops' | 'currencyUSD';
  /** `stat` shows the present value, large. @default 'lines' */
  readonly kind?: 'lines' | 'stat';
  /** Columns of 24. @default 8 */
  readonly width?: number;
  readonly queries: readonly Query[];
}

/** A PromQL expression with the name that its lines get. */
export interface Query {
  readonly expr: string;
  /** May use `{{label}}`. */
  readonly legend: string;
}

/** A dashboard: rows of panels. */
export interface DashboardPlan {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** Grafana's window for rates: wide enough for the scrape interval at any zoom. */
const window = '$__rate_interval';

/** Events per second of a counter. */
export function perSecond(selector: string, by: string): string {
  return `sum by (${by}) (rate(${selector}[${window}]))`;
}

/** A quantile of a histogram. */
export function quantile(q: number, metric: string, by = ''): string {
  return `histogram_quantile(${q}, sum by (${by === '' ? 'le' : `le, ${by}`}) (rate(${metric}_bucket[${window}])))`;
}

/** Three quantiles of a histogram. */
export function quantiles(metric: string): Query[] {
  return [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, metric), legend: `p${q * 100}` }));
}

/** Share of the events that one selector sees among those that the other does. */
export function share(part: string, whole: string, by: string): string {
  return `${perSecond(part, by)} / ${perSecond(whole, by)}`;
}
