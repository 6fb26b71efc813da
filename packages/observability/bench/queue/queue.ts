import { temporaryDirectory } from '@millrace/test-support';
import { type Bench, median, type Result, round } from '../result.ts';
import { type Ratio, ratioOf } from './interval.ts';
import { buildPrograms, type Pass, startVariant, type Variant, type VariantName } from './variant.ts';

const variants = ['stripped', 'absent', 'on', 'ids'] as const satisfies readonly VariantName[];
const jobs = 4_000;

type Measured = Readonly<Record<VariantName, readonly (readonly Pass[])[]>>;

/**
 * off.cost and on.cost: a queue in memory at full speed, with handlers that do nothing, which is where instrumentation weighs
 * most. Each variant is a process; they take turns at short passes, and each pass is compared with the others of its turn, so
 * that a slow moment of the machine hits all of them. Compared is processor time per job, which is what bounds throughput here
 * and which other processes change little.
 */
export const queue: Bench = {
  metrics: ['off.cost', 'off.alloc', 'on.cost', 'on.cost.ids'],
  async run({ quick }) {
    await using directory = await temporaryDirectory('bench');
    const programOf = await buildPrograms(directory.path);
    const allocated = await allocations(programOf);
    const measured = await measure(programOf, quick ? 3 : 6, quick ? 10 : 16);
    return [
      cost('off.cost', measured, 'absent', 'stripped', 'the queue without a line about instrumentation'),
      allocated,
      cost('on.cost', measured, 'on', 'absent', 'no instrumentation given'),
      cost('on.cost.ids', measured, 'ids', 'absent', 'no instrumentation given'),
    ];
  },
};

/** Generations of processes, each with so many turns after those that warm the compiler. */
async function measure(
  programOf: (variant: VariantName) => string,
  generations: number,
  turns: number,
): Promise<Measured> {
  const found: Record<VariantName, Pass[][]> = { stripped: [], absent: [], on: [], ids: [] };
  for (let generation = 0; generation < generations; generation += 1) {
    await using processes = await startAll(programOf);
    for (const name of variants) found[name].push([]);
    for (let turn = -4; turn < turns; turn += 1) {
      // Everybody is first, second … equally often.
      for (let place = 0; place < variants.length; place += 1) {
        const name = variants[(place + turn + 4) % variants.length] as VariantName;
        const pass = await processes.of[name].pass(jobs);
        if (turn >= 0) found[name].at(-1)?.push(pass);
      }
    }
  }
  return found;
}

async function startAll(
  programOf: (variant: VariantName) => string,
): Promise<AsyncDisposable & { readonly of: Readonly<Record<VariantName, Variant>> }> {
  const started = await Promise.all(
    variants.map(async (name) => [name, await startVariant(name, programOf(name))] as const),
  );
  return {
    of: Object.fromEntries(started) as Record<VariantName, Variant>,
    [Symbol.asyncDispose]: async () => {
      for (const [, variant] of started) await variant[Symbol.asyncDispose]();
    },
  };
}

function cost(metric: string, measured: Measured, ours: VariantName, peer: VariantName, peerName: string): Result {
  const pairs = measured[ours].map((passes, generation) =>
    passes.map(({ cpu }, turn) => cpu / (measured[peer][generation]?.[turn]?.cpu ?? Number.NaN)),
  );
  const { ratio, low, high }: Ratio = ratioOf(pairs);
  return {
    metric,
    ours: round(median(measured[ours].flat().map(({ cpu }) => cpu))),
    peer: round(median(measured[peer].flat().map(({ cpu }) => cpu))),
    peerName,
    unit: `ns CPU per job; 95 % interval of the ratio: ${low.toFixed(3)} to ${high.toFixed(3)}`,
    ratio: Number(ratio.toFixed(3)),
  };
}

/** off.alloc: bytes that a job leaves on the heap, with all garbage, which is the same in every pass once the compiler is warm. */
async function allocations(programOf: (variant: VariantName) => string): Promise<Result> {
  const bytes = async (name: VariantName): Promise<number> => {
    await using variant = await startVariant(name, programOf(name), { wholeHeap: true });
    const passes: number[] = [];
    for (let turn = 0; turn < 30; turn += 1) passes.push((await variant.pass(jobs)).bytes);
    return median(passes.slice(15));
  };
  const [absent, stripped] = [await bytes('absent'), await bytes('stripped')];
  return {
    metric: 'off.alloc',
    ours: Math.round(absent),
    peer: Math.round(stripped),
    peerName: 'the queue without a line about instrumentation',
    unit: 'bytes allocated per job',
    ratio: Number((absent / stripped).toFixed(3)),
  };
}
