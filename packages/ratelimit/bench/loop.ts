/** Calls per second of `workers` loops over `ms` milliseconds. */
export async function throughput(workers: number, ms: number, call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  const endAt = startedAt + ms;
  let calls = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < endAt) {
      await call();
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return (calls * 1_000) / (performance.now() - startedAt);
}

/** Nanoseconds per call, called one after the other; `batch` calls are awaited as one block. */
export async function nanosPerCall(calls: number, block: (calls: number) => Promise<void> | void): Promise<number> {
  await block(Math.ceil(calls / 5));
  const startedAt = process.hrtime.bigint();
  await block(calls);
  return Number(process.hrtime.bigint() - startedAt) / calls;
}

/** Measures candidates by turns, so that the machine's moods hit all of them, and answers each one's median. */
export async function interleaved<Name extends string>(
  rounds: number,
  candidates: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(candidates) as Name[];
  const runs = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) for (const name of names) runs[name].push(await candidates[name]());
  return Object.fromEntries(
    names.map((name) => [name, runs[name].sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN]),
  ) as Record<Name, number>;
}

/** The most admissions in any window [t, t + length), from times in any order. */
export function worstWindow(times: readonly number[], length: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let worst = 0;
  let from = 0;
  for (let to = 0; to < sorted.length; to++) {
    while ((sorted[to] ?? 0) - (sorted[from] ?? 0) >= length) from += 1;
    worst = Math.max(worst, to - from + 1);
  }
  return worst;
}
