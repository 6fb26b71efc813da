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

/** Our figure divided by the peer's. */
export function compare(metric: string, ours: number, peer: number, peerName: string, unit: string): Result {
  return { metric, ours: round(ours), peer: round(peer), peerName, unit, ratio: round(ours / peer) };
}

/** The middle of the values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
