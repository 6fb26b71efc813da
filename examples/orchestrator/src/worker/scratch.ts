import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A run's own home and temporary folder: agents must not see the server's home, nor each other's. */
export interface Scratch extends AsyncDisposable {
  readonly home: string;
  readonly temporary: string;
}

export async function makeScratch(root: string, name: string): Promise<Scratch> {
  const directory = join(root, name);
  const [home, temporary] = [join(directory, 'home'), join(directory, 'tmp')];
  await mkdir(home, { recursive: true, mode: 0o700 });
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  return {
    home,
    temporary,
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}
