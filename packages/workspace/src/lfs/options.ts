import { InvalidOptionError } from '../errors.ts';
import type { LfsOptions, Progress } from '../manager.ts';
import { parseRepository, type RepositoryAddress } from '../repository.ts';
import type { Services } from '../services.ts';
import type { LfsSource } from './fill.ts';

const GIBIBYTE = 1024 * 1024 * 1024;

/** Checks the options of large files; undefined when they are not wanted. */
export function lfsSource(
  { protocols }: Services,
  repo: RepositoryAddress,
  wanted: boolean | LfsOptions | undefined = false,
  onProgress?: (progress: Progress) => void,
): LfsSource | undefined {
  if (wanted === false) return undefined;
  const { url, maxObjectBytes = 2 * GIBIBYTE, maxBytes = 16 * GIBIBYTE } = wanted === true ? {} : wanted;
  const address = url === undefined ? repo : parseRepository(url, protocols);
  if (address.protocol === 'ssh')
    throw new InvalidOptionError(
      'lfs',
      'needs `lfs: { url }` with an https address, since the repository is reached by ssh',
    );
  return { address, maxObjectBytes, maxBytes, onProgress };
}
