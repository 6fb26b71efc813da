/** One line of a bench's answer; `ratio` compares with the peer as the bar of `metric` reads. */
export interface Result {
  readonly metric: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly unit: string;
  readonly ratio: number | null;
}

/** A bench, by the metrics that it answers. */
export interface Bench {
  readonly metrics: readonly string[];
  run(options: { readonly quick: boolean }): Promise<readonly Result[]>;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** CPU time that `work` takes, in milliseconds: on a shared machine it says more than the clock on the wall. */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** Three digits that count. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}
