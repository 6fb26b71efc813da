import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { guardian } from './process/guardian.ts';

/** A folder that goes when it is disposed of, and in any case with the test process. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes an empty folder. `name` shows in its path. */
export async function temporaryDirectory(name = 'directory'): Promise<TemporaryDirectory> {
  const { folder } = await guardian();
  const path = await mkdtemp(join(folder, `${name}-`));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
