import { median, round } from '../result.ts';
import { type Ratio, ratioOf } from './interval.ts';
import { type Pass, type Program, startVariant, type Variant, type VariantName } from './variant.ts';

const jobs = 10_000;

/** Passes of each variant: per generation of processes, those of its turns. */
export type Measured = ReadonlyMap<string, readonly (readonly Pass[])[]>;

/** Who takes part, under a name of its own: the same variant twice shows what noise alone makes. */
export type Entrants = Readonly<Record<string, VariantName>>;

/** How much is measured. */
export interface Extent {
  /** How often all processes are started anew. */
  readonly generations: number;
  /** Passes of each process. */
  readonly turns: number;
  /** Passes before them that only warm the compiler. */
  readonly warming: number;
  /** Whether processes have room for all garbage of a pass, so that `bytes` is what was allocated. */
  readonly wholeHeap?: boolean;
}

/**
 * Each entrant is a process; they take turns at short passes, so that a slow moment of the machine hits all of them, and each
 * pass is compared with the others of its turn.
 */
export async function measure(program: Program, entrants: Entrants, extent: Extent): Promise<Measured> {
  const names = Object.keys(entrants);
  const found = new Map<string, Pass[][]>(names.map((name) => [name, []]));
  for (let generation = 0; generation < extent.generations; generation += 1) {
    await using processes = await startAll(program, entrants, extent);
    const passes = new Map<string, Pass[]>(names.map((name) => [name, []]));
    for (let turn = 0; turn < extent.warming + extent.turns; turn += 1) {
      // Everybody is first, second … equally often.
      for (let place = 0; place < names.length; place += 1) {
        const name = names[(place + turn) % names.length] ?? '';
        const pass = await processes.of.get(name)?.pass(jobs);
        if (turn >= extent.warming && pass !== undefined) passes.get(name)?.push(pass);
      }
    }
    for (const name of names) found.get(name)?.push(passes.get(name) ?? []);
  }
  return found;
}

async function startAll(
  program: Program,
  entrants: Entrants,
  { wholeHeap = false }: Extent,
): Promise<AsyncDisposable & { readonly of: ReadonlyMap<string, Variant> }> {
  const started = await Promise.all(
    Object.entries(entrants).map(
      async ([name, variant]) => [name, await startVariant(variant, program(variant), { wholeHeap })] as const,
    ),
  );
  return {
    of: new Map(started),
    [Symbol.asyncDispose]: async () => {
      for (const [, variant] of started) await variant[Symbol.asyncDispose]();
    },
  };
}

/** What an entrant needs, what another does, and their ratio pass by pass. */
export function compare(
  measured: Measured,
  ours: string,
  peer: string,
  by: keyof Pass,
): { readonly ours: number; readonly peer: number } & Ratio {
  const [mine, theirs] = [measured.get(ours) ?? [], measured.get(peer) ?? []];
  const pairs = mine.map((passes, generation) =>
    passes.map((pass, turn) => pass[by] / (theirs[generation]?.[turn]?.[by] ?? Number.NaN)),
  );
  const middle = (passes: readonly (readonly Pass[])[]): number => round(median(passes.flat().map((pass) => pass[by])));
  return { ours: middle(mine), peer: middle(theirs), ...ratioOf(pairs) };
}
