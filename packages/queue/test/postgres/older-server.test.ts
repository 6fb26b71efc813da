import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, startServerProcess, temporaryDirectory, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, describe, it } from 'vitest';
import { describeAdapter } from '../../src/conformance.ts';
import { postgresAdapter } from '../../src/postgres.ts';

// The other tests run on the PostgreSQL of npm, which is new. Here the whole suite runs on what Debian installs, where it is there.

const run = promisify(execFile);
const folder = '/usr/lib/postgresql';
const version = existsSync(folder)
  ? readdirSync(folder).find((name) => existsSync(join(folder, name, 'bin', 'initdb')))
  : undefined;

/** PostgreSQL does not run as root; Debian's package has made a user for it. */
async function account(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

async function startInstalled(): Promise<string> {
  const bin = (name: string): string => join(folder, version ?? '', 'bin', name);
  const owner = await account();
  const { path } = await temporaryDirectory('postgres-installed');
  await chmod(path, 0o755);
  const data = join(path, 'data');
  await mkdir(data, { mode: 0o700 });
  if (owner) await chown(data, owner.uid, owner.gid);
  await run(
    bin('initdb'),
    ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--no-sync', '--encoding', 'UTF8'],
    { cwd: '/', ...owner },
  );
  const port = await freePort();
  const settings = { port: `${port}`, listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off' };
  await startServerProcess({
    command: bin('postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: path,
    log: join(path, 'server.log'),
    stopSignal: 'SIGQUIT',
    ...(owner && { account: owner }),
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await waitFor(() => accepts(url), { timeout: 60_000, what: `PostgreSQL ${version}` });
  return url;
}

async function accepts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  );
}

// No server of another version is installed here.
describe.skipIf(version === undefined)(`on PostgreSQL ${version}`, () => {
  let url = '';
  describeAdapter(
    { afterAll, describe, it },
    {
      name: `postgres (${version})`,
      create: async () => {
        url = await startInstalled();
        return postgresAdapter({ url });
      },
      createSecond: () => postgresAdapter({ url }),
    },
  );
});
