import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder } from '../cache.ts';
import { temporaryDirectory } from '../files.ts';
import type { Account } from './account.ts';
import type { PostgresPrograms } from './binaries.ts';

const run = promisify(execFile);

/** A freshly initialised data directory, made once and copied for every server. */
export interface Template {
  readonly data: string;
  /** Password of the superuser `postgres`. */
  readonly password: string;
}

/**
 * The data directory as `initdb` leaves it, from the cache.
 * The superuser has a password: without one any user of this machine could run programs as the server's account.
 */
export async function dataTemplate(programs: PostgresPrograms, account: Account | undefined): Promise<Template> {
  const name = `postgres-data-${programs.version}-${account?.uid ?? process.getuid?.() ?? 0}`;
  const folder = await cachedFolder(name, (draft) => initialise(draft, programs, account));
  return { data: join(folder, 'data'), password: await readFile(join(folder, 'password'), 'utf8') };
}

async function initialise(draft: string, programs: PostgresPrograms, account: Account | undefined): Promise<void> {
  await using workshop = await temporaryDirectory('initdb');
  const password = randomBytes(16).toString('hex');
  const passwordFile = join(workshop.path, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account) {
    await chown(workshop.path, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  const data = join(workshop.path, 'data');
  await run(
    programs.initdb,
    [
      ...['--pgdata', data, '--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--locale', 'C', ...localeOf(programs)],
      ...['--wal-segsize', '4', '--no-sync'],
    ],
    { cwd: workshop.path, ...account },
  );
  await copyData(data, join(draft, 'data'));
  await writeFile(join(draft, 'password'), password, { mode: 0o600 });
}

/** Version 17 brought locales that do not depend on the machine. */
function localeOf({ version }: PostgresPrograms): string[] {
  if (Number.parseInt(version, 10) < 17) return [];
  return ['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'];
}

/** Copies a stopped server's data directory with its owner and modes; by reference where the file system can. */
export async function copyData(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const reflink = process.platform === 'linux' ? ['--reflink=auto'] : [];
  await run('cp', ['-a', ...reflink, `${from}/.`, to]);
}
