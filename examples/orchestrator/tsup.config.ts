import type { Options } from 'tsup';

/** The program as production runs it: the packages bundled from their sources, the libraries left outside. */
const config: Options = {
  entry: { main: 'src/main.ts' },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  clean: true,
  silent: true,
  skipNodeModulesBundle: true,
  noExternal: [/^@millrace\//],
  esbuildOptions: (options) => {
    options.conditions = ['@millrace/source'];
  },
};

export default config;
