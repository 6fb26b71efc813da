/** One line of a bench's report. */
export interface Result {
  /** The id in the table of bars. */
  readonly metric: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly unit: string;
  /** Ours against the peer, the way the bar reads; null without a peer. */
  readonly ratio: number | null;
}

/** One group of measurements. */
export interface Bench {
  /** Ids that it measures. */
  readonly metrics: readonly string[];
  run(options: { readonly quick: boolean }): Promise<Result[]>;
}

/** A result without a peer. */
export function alone(metric: string, ours: number, unit: string): Result {
  return { metric, ours: round(ours), peer: null, peerName: null, unit, ratio: null };
}

/** How many times faster (more per second, or less time) we are. */
export function faster(metric: string, ours: number, peer: number, peerName: string, unit: string): Result {
  const ratio = unit.endsWith('/s') ? ours / peer : peer / ours;
  return { metric, ours: round(ours), peer: round(peer), peerName, unit, ratio: round(ratio) };
}

/** Ours as a share of the peer's: for bytes, waits, errors. */
export function share(metric: string, ours: number, peer: number, peerName: string, unit: string): Result {
  return { metric, ours: round(ours), peer: round(peer), peerName, unit, ratio: round(ours / peer) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
