import type { RateSpec, RateTable } from './store.ts';

/*
 * GCRA (ITU-T I.371; ATM Forum TM 4.0) over a vector of limits, for slots in the future. Times are whole microseconds.
 *
 * A cell keeps `tat`, the time at which everything booked so far has drained. A call of cost c, with interval T and burst B, may go at the
 * earliest `at` with `tat + cT - BT <= at` for every limit; then `tat = max(tat, at) + cT` everywhere. Whatever the order of the slots, the
 * cost in any window W stays within B + W/T. A cost above the burst also waits (c - B)T of silence before its slot, which keeps that bound.
 */

/** State of one limit for one priority class. */
export interface Cell {
  /** When all that is booked has drained. */
  tat: number;
  /** When `tat` was last moved by idling: what was booked before it has drained and cannot be given back. */
  rebase: number;
}

/** One limit of one class with its state and effective numbers. */
export interface Gauge {
  readonly cell: Cell;
  /** Microseconds per unit for this class, before the adaptive factor. */
  readonly interval: number;
  /** Units at once for this class. */
  readonly burst: number;
}

/** The effective interval and burst of a class: a share of the limit is a smaller limit. */
export function gauge(cell: Cell, spec: RateSpec, share: number): Gauge {
  return { cell, interval: spec.interval / share, burst: spec.burst * share };
}

/** Microseconds that `units` occupy. Rounded up, so that sums never admit more than the limit. */
export function span(gauge: Gauge, units: number, factor: number): number {
  return Math.ceil((units * gauge.interval) / factor);
}

/** The earliest slot, not before `from`, that this limit allows. */
export function earliest(gauge: Gauge, cost: number, from: number, factor: number): number {
  if (cost === 0) return from;
  const over = span(gauge, cost, factor) - span(gauge, gauge.burst, factor);
  const start = over > 0 && gauge.cell.tat < from ? from : gauge.cell.tat;
  const at = start + over;
  return Math.max(at, from);
}

/** Books `cost` at the slot `at`. */
export function book(gauge: Gauge, cost: number, at: number, factor: number): void {
  if (cost === 0) return;
  const { cell } = gauge;
  if (cell.tat < at) {
    cell.tat = at;
    cell.rebase = at;
  }
  cell.tat += span(gauge, cost, factor);
}

/** How many times `cost` fits at `now`. */
export function copiesNow(gauge: Gauge, cost: number, now: number, factor: number): number {
  if (cost === 0) return Number.POSITIVE_INFINITY;
  const debt = Math.max(0, gauge.cell.tat - now);
  return Math.floor((span(gauge, gauge.burst, factor) - debt) / span(gauge, cost, factor));
}

/** Adds units, or gives back units that were booked at `at` unless they have drained since. */
export function amend(gauge: Gauge, delta: number, at: number, now: number, factor: number): void {
  if (delta === 0) return;
  const { cell } = gauge;
  if (delta > 0) cell.tat = Math.max(cell.tat, now) + span(gauge, delta, factor);
  else if (at >= cell.rebase) cell.tat = Math.max(cell.rebase, cell.tat - span(gauge, -delta, factor));
}

/** Lowers what is left to `remaining` units of the burst. */
export function lower(gauge: Gauge, remaining: number, now: number, factor: number): void {
  const used = Math.max(0, gauge.burst - remaining);
  gauge.cell.tat = Math.max(gauge.cell.tat, now + span(gauge, used, factor));
}

/** Units that could be used at `now`; negative while future slots are taken. */
export function remaining(gauge: Gauge, now: number, factor: number): number {
  const debt = Math.max(0, gauge.cell.tat - now);
  return Math.floor(gauge.burst - (debt * factor) / gauge.interval);
}

/** The adaptive factor at `now`, having recovered since it was set. */
export function factorAt(factor: number, setAt: number, now: number, recoveryPerSecond: number): number {
  if (factor >= 1) return 1;
  return Math.min(1, factor + (Math.max(0, now - setAt) / 1e6) * recoveryPerSecond);
}

/** The cell of limit `index` and class `share` within its scope: limits of one scope lie in the order of the table. */
export function cellIndex(table: RateTable, index: number, share: number): number {
  const scope = table.limits[index]?.scope;
  let position = 0;
  for (let i = 0; i < index; i++) if (table.limits[i]?.scope === scope) position++;
  return position * table.shares.length + share;
}
