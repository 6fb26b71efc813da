import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './errors.ts';

/** PostgreSQL refuses to run as root, so a root process lends it one of these accounts, the first that exists. */
const candidates = ['postgres', 'nobody'];

/** An account of the operating system. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The account PostgreSQL runs under; `undefined` means our own, which is right whenever we are not root. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = parsePasswd(await readFile('/etc/passwd', 'utf8'));
  const found = candidates.flatMap((name) => accounts.filter((account) => account.name === name))[0];
  if (found) return found;
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root and none of the accounts ${candidates.join(', ')} exists: create one, start Millrace as another user, or set DATABASE_URL.`,
  );
}

function parsePasswd(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** How to start a program under an account. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: { readonly uid?: number; readonly gid?: number };
}

/**
 * Starts `program` under `account`. Where a folder on the way is closed to that account (a checkout below a root-only
 * folder), `setpriv` lets the program keep the one capability that opens it; its user id still is not root.
 */
export async function launchAs(
  account: Account | undefined,
  program: string,
  args: readonly string[],
  directory: string,
): Promise<Launch> {
  if (!account) return { command: program, args, options: {} };
  if ((await isReachable(program, account)) && (await isReachable(directory, account))) {
    return { command: program, args, options: { uid: account.uid, gid: account.gid } };
  }
  const identity = ['--reuid', `${account.uid}`, '--regid', `${account.gid}`, '--clear-groups'];
  const capability = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'];
  return { command: 'setpriv', args: [...identity, ...capability, '--', program, ...args], options: {} };
}

async function isReachable(path: string, account: Account): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  const searchable = ((mode >> shift) & 1) === 1;
  const parent = dirname(path);
  return searchable && (parent === path || (await isReachable(parent, account)));
}
