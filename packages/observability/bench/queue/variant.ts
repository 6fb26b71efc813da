import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** `stripped`: a queue without a line about instrumentation; `absent`: none given; `on`: metrics and spans; `ids`: and ids for log lines. */
export type VariantName = 'stripped' | 'absent' | 'on' | 'ids';

/** What one job cost in a pass: nanoseconds of processor time (garbage collector included) and on the wall, bytes of heap. */
export interface Pass {
  readonly cpu: number;
  readonly wall: number;
  readonly bytes: number;
}

/** A process that runs one variant. */
export interface Variant extends AsyncDisposable {
  pass(jobs: number): Promise<Pass>;
}

/** The file that runs a variant. */
export type Program = (variant: VariantName) => string;

/** Room for all that a pass allocates, so that no collection falls into it and the growth of the heap is what was allocated. */
const roomForAll = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];

/** Builds the bench's program with and without the queue's lines about instrumentation. */
export async function buildPrograms(directory: string): Promise<Program> {
  const compile = (name: string, plugins: Plugin[]): Promise<unknown> =>
    build({
      entryPoints: [join(import.meta.dirname, 'child.ts')],
      outfile: join(directory, `${name}.mjs`),
      bundle: true,
      minifySyntax: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      conditions: ['@millrace/source'],
      // Packages of CommonJS ask for `require`, which a module has not.
      banner: {
        js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
      },
      plugins,
      logLevel: 'error',
    });
  let stripped = 0;
  const strip: Plugin = {
    name: 'strip instrumentation',
    setup: ({ onLoad }) => {
      onLoad({ filter: /packages\/queue\/src\/.*\.ts$/ }, async ({ path }) => {
        const contents = withoutInstrumentation(await readFile(path, 'utf8'), () => {
          stripped += 1;
        });
        return { contents, loader: 'ts' };
      });
    },
  };
  await Promise.all([compile('whole', []), compile('stripped', [strip])]);
  // Enqueue (around and after), attempt, exchange: fewer means that the queue says it in other words now, which `sites` must learn.
  if (stripped < 4)
    throw new Error(`Only ${stripped} places with instrumentation found in the queue: adapt \`sites\`.`);
  return (variant) => join(directory, variant === 'stripped' ? 'stripped.mjs' : 'whole.mjs');
}

/** How the queue asks whether there is instrumentation, on the way of every job, and what stands there if there never is. */
const sites: readonly (readonly [RegExp, string])[] = [
  [/\b(?:this\.#|this\.)?(?:parts\.)?instrumentation !== undefined/g, 'false'],
  [/!wraps\((?:parts\.)?instrumentation, '\w+'\)/g, 'true'],
];

function withoutInstrumentation(source: string, onSite: () => void): string {
  return sites.reduce(
    (text, [pattern, replacement]) =>
      text.replace(pattern, () => {
        onSite();
        return replacement;
      }),
    source,
  );
}

/** Starts a process; with `wholeHeap`, one that collects no garbage during a pass. */
export async function startVariant(
  name: VariantName,
  program: string,
  { wholeHeap = false }: { readonly wholeHeap?: boolean } = {},
): Promise<Variant> {
  const child: ChildProcess = fork(program, [name], { execArgv: wholeHeap ? roomForAll : [] });
  await once(child, 'message');
  return {
    pass: async (jobs) => {
      child.send(jobs);
      const [result] = (await once(child, 'message')) as [Pass];
      return result;
    },
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
