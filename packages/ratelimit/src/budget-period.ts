/** How long a budget's cap lasts before it starts anew, in UTC. `total` never starts anew. */
export type BudgetPeriod = 'hour' | 'day' | 'month' | 'total';

/** One period of a budget. */
export interface PeriodSpan {
  /** Name of the period, e.g. `2026-11-23`. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
}

/** The period that `now` (milliseconds since 1970) lies in. */
export function periodAt(period: BudgetPeriod, now: number): PeriodSpan {
  const iso = new Date(now).toISOString();
  const date = new Date(now);
  switch (period) {
    case 'hour': {
      const start = Math.floor(now / 3_600_000) * 3_600_000;
      return { name: iso.slice(0, 13), start, end: start + 3_600_000 };
    }
    case 'day': {
      const start = Math.floor(now / 86_400_000) * 86_400_000;
      return { name: iso.slice(0, 10), start, end: start + 86_400_000 };
    }
    case 'month': {
      const start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
      return { name: iso.slice(0, 7), start, end: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) };
    }
    case 'total':
      return { name: 'total', start: 0, end: Number.POSITIVE_INFINITY };
  }
}
