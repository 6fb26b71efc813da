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

/** How long a bench may take. */
export interface BenchOptions {
  readonly quick: boolean;
}

/** One file's measurements. */
export interface Bench {
  readonly metrics: readonly string[];
  run(options: BenchOptions, selected: (metric: string) => boolean): Promise<readonly Result[]>;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Runs `total` operations, `concurrency` at a time; resolves to operations per second. */
export async function throughput(
  total: number,
  concurrency: number,
  operation: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < total; index = next++) await operation(index);
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: concurrency }, lane));
  return total / ((performance.now() - startedAt) / 1000);
}

/** Two digits after the point. */
export const rounded = (value: number): number => Math.round(value * 100) / 100;
