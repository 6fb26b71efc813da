import type { Options } from 'tsup';
import { libraryConfig } from '../../tsup.config.base.ts';

const config: Options = libraryConfig({
  index: 'src/index.ts',
  memory: 'src/memory.ts',
  redis: 'src/redis.ts',
  postgres: 'src/postgres.ts',
  presets: 'src/presets.ts',
  conformance: 'src/conformance.ts',
  testing: 'src/testing.ts',
});

export default config;
