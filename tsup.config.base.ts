import type { Options } from 'tsup';

/** One build recipe for all packages: ESM for Node 20, declarations, source maps; dependencies stay outside. */
export function libraryConfig(entry: Record<string, string>): Options {
  return {
    entry,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    sourcemap: true,
    clean: true,
    treeshake: true,
    dts: { compilerOptions: { rewriteRelativeImportExtensions: false, noEmit: false, customConditions: [] } },
  };
}
