import type { Options } from 'tsup';
import { libraryConfig } from '../../tsup.config.base.ts';

const config: Options = libraryConfig({
  index: 'src/index.ts',
  memory: 'src/memory.ts',
  sqlite: 'src/sqlite.ts',
  redis: 'src/redis.ts',
  postgres: 'src/postgres.ts',
  conformance: 'src/conformance.ts',
});

export default config;
