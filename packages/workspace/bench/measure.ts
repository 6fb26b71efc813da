import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, type Measurement, median, type Result } from './common.ts';
import { flight, present, status } from './counts.ts';
import { fifty } from './many.ts';
import { namespace } from './namespace.ts';
import { books, churn } from './scale.ts';
import { startBenchServer } from './server.ts';
import { shapeNames, shapeResults, takeTurns } from './shapes.ts';

/** Where to measure: folder, and ending of the metric. */
const media = {
  tmpfs: ['/dev/shm', ''],
  disk: ['/var/tmp', '.disk'],
} as const;

/** What to measure and how. */
export interface MeasureOptions {
  readonly quick: boolean;
  readonly only: readonly string[];
  /** `tmpfs`, `disk`, or both. */
  readonly media: readonly (keyof typeof media)[];
  readonly report: (result: Result) => void;
}

const measurements: Readonly<Record<string, Measurement>> = {
  namespace,
  fifty,
  status,
  present,
  flight,
  books,
  churn,
};

async function defaults(urls: readonly string[], { folder, rounds, server }: Bench, suffix: string): Promise<Result[]> {
  const ratios: { time: number; disk: number }[] = [];
  for (const [at, url] of urls.entries()) {
    const bench: Bench = { folder: mkdtempSync(join(folder, `default-${at}-`)), url, rounds, server };
    const { samples, peer } = await takeTurns(bench, { overlay: { strategy: 'overlay' } });
    const ours = samples.get('overlay') ?? [];
    const ratio = (pick: (sample: { ms: number; bytes: number }) => number): number =>
      median(ours.map(pick)) / median(peer.map(pick));
    ratios.push({ time: ratio(({ ms }) => ms), disk: ratio(({ bytes }) => bytes) });
    rmSync(bench.folder, { recursive: true, force: true });
  }
  const mean = (pick: (ratio: { time: number; disk: number }) => number): number =>
    ratios.reduce((sum, ratio) => sum + pick(ratio), 0) / ratios.length;
  return (['time', 'disk'] as const).map((what) => {
    const ratio = mean((one) => one[what]);
    return {
      metric: `default.${what}${suffix}`,
      ours: ratio,
      peer: 1,
      peerName: 'git clone --depth=1, http, 20 ms (mean of got, fastify, vite)',
      unit: 'x',
      ratio,
    };
  });
}

/** Runs what was asked for, on tmpfs and on the disk. */
export async function measureAll(options: MeasureOptions): Promise<Result[]> {
  const { only, quick, report } = options;
  const wanted = (name: string): boolean =>
    only.length === 0 || only.some((prefix) => name.startsWith(prefix) || prefix.startsWith(`${name}.`));
  await using server = await startBenchServer();
  const { urls } = server;
  const results: Result[] = [];
  for (const medium of options.media) {
    const [place, suffix] = media[medium];
    const folder = mkdtempSync(join(place, 'millrace-bench-'));
    const bench: Bench = { folder, url: urls[2] as string, rounds: quick ? 3 : medium === 'disk' ? 5 : 7, server };
    const note = (found: readonly Result[]): void => {
      for (const result of found) report(result);
      results.push(...found);
    };
    if (shapeNames.some(wanted)) note(await shapeResults(bench, suffix, wanted));
    for (const [name, measure] of Object.entries(measurements)) if (wanted(name)) note(await measure(bench, suffix));
    if (wanted('default')) note(await defaults(urls, bench, suffix));
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}
