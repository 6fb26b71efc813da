import { defineConfig } from 'vitest/config';

const condition = '@millrace/source';
const resolve = { conditions: [condition, 'node', 'development|production'] };

/** Tests run on the sources (no build before them): the custom export condition points every package name at `src`. */
function project(name: string, root: string, include = ['test/**/*.test.ts']) {
  return {
    resolve,
    ssr: { resolve },
    test: {
      name,
      root,
      include,
      testTimeout: 30_000,
      hookTimeout: 120_000,
      execArgv: [`--conditions=${condition}`],
    },
  };
}

export default defineConfig({
  test: {
    pool: 'forks',
    // Many files start servers and child processes of their own: more workers than this starve them on small machines.
    maxWorkers: 2,
    projects: [
      project('queue', './packages/queue'),
      project('ratelimit', './packages/ratelimit'),
      project('workspace', './packages/workspace'),
      project('idempotency', './packages/idempotency'),
      project('observability', './packages/observability'),
      project('support', './test/support'),
      project('orchestrator', './examples/orchestrator'),
      project('house', './test', ['*.test.ts']),
    ],
  },
});
