import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Hold } from '../runs/transition.ts';

/** A run's own home and temporary folder: agents must not see the server's home, nor each other's. */
export interface Scratch extends AsyncDisposable {
  readonly home: string;
  readonly temporary: string;
  /** Writes files below the home, by relative path, for its owner only. */
  writeHome(files: Readonly<Record<string, string>>): Promise<void>;
}

/** Each delivery has folders of its own; their names begin with the run's id, by which the janitor finds lost ones. */
export async function makeScratch(root: string, hold: Hold, purpose: string): Promise<Scratch> {
  const directory = join(root, `${hold.runId}.${hold.dispatch}.${hold.fence}.${purpose}`);
  const [home, temporary] = [join(directory, 'home'), join(directory, 'tmp')];
  mkdirSync(home, { recursive: true, mode: 0o700 });
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  return {
    home,
    temporary,
    async writeHome(files) {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(home, name)), { recursive: true, mode: 0o700 });
        writeFileSync(join(home, name), text, { mode: 0o600 });
      }
    },
    async [Symbol.asyncDispose]() {
      if (removeEmpty([home, temporary, directory])) return;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Many agents leave nothing, and to look for something costs ten times what it costs to try. */
function removeEmpty(folders: readonly string[]): boolean {
  try {
    for (const folder of folders) rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
