import { DiskFullError } from '../errors.ts';

/** Gives the system's own "no room" the package's name, wherever in a call it came up. */
export async function withDiskFull<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw new DiskFullError(`No room is left (bytes or files) at ${path ?? 'the root'}. Free some`, { cause: error });
  }
}
