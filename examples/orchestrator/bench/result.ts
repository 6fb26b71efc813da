/** One measured figure, as the project's benches report it. */
export interface Result {
  /** Id in the table of bars. */
  readonly metric: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly unit: string;
  /** `ours` against `peer`, as the bar reads. */
  readonly ratio: number | null;
}

export interface BenchOptions {
  /** Less of everything, for a look. */
  readonly quick: boolean;
  /** Told what is being measured, and what else there is to know about a figure. */
  readonly note: (text: string) => void;
}

/** One file's measurements. */
export interface Bench {
  readonly metrics: readonly string[];
  run(options: BenchOptions, selected: (metric: string) => boolean): Promise<readonly Result[]>;
}

/** The value that a share (0–1) of the values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Two digits after the point. */
export const rounded = (value: number): number => Math.round(value * 100) / 100;

/** The name of the system that the mission describes, ported in `baseline/`. */
export const baselineName = 'described system';
