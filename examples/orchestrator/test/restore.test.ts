import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PostgresServer, startPostgres, temporaryDirectory, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { expect, test } from 'vitest';
import { type Client, createClient } from '../src/client/client.ts';
import { git, makeOrigin, runBranches } from './support/origin.ts';
import { startServerProcess } from './support/process.ts';

interface Site {
  readonly postgres: PostgresServer;
  readonly databaseUrl: string;
  /** Object store, queue and mirrors are in here. */
  readonly data: string;
}

const environment = ({ data, databaseUrl }: Site) => ({
  DATA_DIR: data,
  DATABASE_URL: databaseUrl,
  WORKER_CONCURRENCY: '2',
});

async function ended(client: Client, ids: readonly string[]): Promise<void> {
  const all = async () => (await Promise.all(ids.map((id) => client.get(id)))).every((run) => run.finishedAt);
  await waitFor(all, { timeout: 150_000, interval: 200, what: 'the runs to end' });
}

/** Says of what the backup holds that nothing was heard of it for long, instead of waiting for that. */
async function setSilent(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`UPDATE runs SET updated_at = now() - interval '10 minutes' WHERE finished_at IS NULL`);
  await client.end();
}

// The steps of docs/operations/disaster-recovery.md.
test('backup, loss of everything, restore: no run is lost, none has two branches, and what had ended is not run again', async () => {
  await using directory = await temporaryDirectory('restore');
  const origin = await makeOrigin(directory.path);
  const [log, gate] = [join(directory.path, 'agents.log'), join(directory.path, 'gate')];
  const command = `echo $MILLRACE_RUN_ID >> ${log}; while [ ! -e ${gate} ]; do sleep 0.1; done; echo x > x`;
  const begun = async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  const submit = async (client: Client, count: number, text: string) => {
    const request = { repo: origin, agent: { type: 'command' as const, command: text }, pullRequest: {} };
    return await Promise.all(Array.from({ length: count }, async () => (await client.submit(request)).id));
  };

  const postgres = await startPostgres({ own: true });
  const first: Site = { postgres, databaseUrl: await postgres.createDatabase(), data: join(directory.path, 'first') };
  const server = await startServerProcess(environment(first));
  const client = createClient({ url: server.url });
  const before = await submit(client, 2, 'echo before > x');
  await ended(client, before);
  const during = await submit(client, 4, command);
  await waitFor(async () => (await begun()).length === 2, { timeout: 30_000 });

  // The database before the objects: every object that it names is there.
  const backup = join(directory.path, 'backup');
  await postgres.backup(join(backup, 'postgres'));
  await cp(join(first.data, 'objects'), join(backup, 'objects'), { recursive: true });

  // After the backup life goes on: these end, and their branches are pushed.
  await writeFile(gate, '');
  await ended(client, during);
  const branches = await runBranches(origin);
  await server.kill();
  await postgres.crash();

  const restored = await startPostgres({ own: true, from: join(backup, 'postgres') });
  const databaseUrl = first.databaseUrl.replace(`:${postgres.port}/`, `:${restored.port}/`);
  const second: Site = { postgres: restored, databaseUrl, data: join(directory.path, 'second') };
  await cp(join(backup, 'objects'), join(second.data, 'objects'), { recursive: true });
  await setSilent(databaseUrl);
  await using successor = await startServerProcess(environment(second));
  const next = createClient({ url: successor.url });
  const open = await Promise.all(during.map((id) => next.get(id)));
  expect(
    open.some((run) => run.finishedAt === null),
    'the backup is older than their end',
  ).toBe(true);
  await ended(next, during);

  for (const id of [...before, ...during]) {
    expect(await next.get(id)).toMatchObject({ state: 'succeeded', commitSha: branches.get(`millrace/${id}`) });
    expect((await fetch(`${successor.url}/v1/runs/${id}/diff`)).status, 'its diff was kept').toBe(200);
  }
  expect(await runBranches(origin), 'nothing was pushed that was not there').toEqual(branches);
  for (const branch of branches.keys()) expect(await git(origin, 'rev-list', '--count', `main..${branch}`)).toBe('1');
  const times = (id: string, all: readonly string[]) => all.filter((one) => one === id).length;
  const all = await begun();
  expect(
    during.map((id) => times(id, all)),
    'what the backup knows as open is run once more',
  ).toEqual([2, 2, 2, 2]);
  const [later] = await submit(next, 1, 'echo later > x');
  await ended(next, [later ?? '']);
  await restored.stop();
}, 400_000);
