import type { Options } from 'tsup';
import { libraryConfig } from '../../tsup.config.base.ts';

const config: Options = libraryConfig({
  index: 'src/index.ts',
});

export default config;
