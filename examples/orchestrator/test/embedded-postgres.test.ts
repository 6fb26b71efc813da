import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { expect, test } from 'vitest';
import { isAlive } from '../src/embedded/cluster.ts';
import { openEmbeddedPostgres } from '../src/embedded/postgres.ts';

async function postmasterPid(directory: string): Promise<number> {
  const text = await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8').catch(() => '0');
  return Number(text.split('\n')[0]);
}

async function ask(url: string, query: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(query)).rows;
  } finally {
    await client.end();
  }
}

/** Opens the folder in a process of its own and kills that with -9. */
async function openAndCrash(root: string): Promise<string> {
  const module = new URL('../src/embedded/postgres.ts', import.meta.url).href;
  const program = `import { openEmbeddedPostgres } from '${module}';
    console.log((await openEmbeddedPostgres({ directory: ${JSON.stringify(root)} })).url);`;
  const args = ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGKILL');
  await once(child, 'exit');
  return url.toString().trim();
}

test('processes on the same folder share one server, and the last to leave stops it', async () => {
  await using directory = await temporaryDirectory();
  const root = join(directory.path, 'postgres');
  const [first, second] = await Promise.all([
    openEmbeddedPostgres({ directory: root }),
    openEmbeddedPostgres({ directory: root }),
  ]);
  const pid = await postmasterPid(root);
  expect(second.url).toBe(first.url);
  await ask(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');

  await first.close();
  expect(isAlive(pid)).toBe(true);
  expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);

  await second.close();
  await waitFor(() => !isAlive(pid), { what: 'the server to end' });

  await using third = await openEmbeddedPostgres({ directory: root });
  expect(third.started).toBe(true);
  expect(await ask(third.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
});

test('a server that its owner left running is taken over, and stopped by whoever takes it', async () => {
  await using directory = await temporaryDirectory();
  const root = join(directory.path, 'postgres');
  const url = await openAndCrash(root);
  const pid = await postmasterPid(root);
  expect(isAlive(pid)).toBe(true);

  const next = await openEmbeddedPostgres({ directory: root });
  expect(next.started).toBe(false);
  expect(next.url).toBe(url);
  await next.close();
  await waitFor(() => !isAlive(pid), { what: 'the server to end' });
});

test('a server that is killed comes back on its own, on the same port, with its data', async () => {
  await using directory = await temporaryDirectory();
  const root = join(directory.path, 'postgres');
  await using open = await openEmbeddedPostgres({ directory: root });
  await ask(open.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
  const pid = await postmasterPid(root);
  process.kill(pid, 'SIGKILL');
  const rows = await waitFor(() => ask(open.url, 'SELECT n FROM kept'), { timeout: 30_000 });
  expect(rows).toEqual([{ n: 7 }]);
  expect(await postmasterPid(root)).not.toBe(pid);
});

test('a pid file that names a stranger does not stop the start', async () => {
  await using directory = await temporaryDirectory();
  const root = join(directory.path, 'postgres');
  await (await openEmbeddedPostgres({ directory: root })).close();
  await writeFile(
    join(root, 'data', 'postmaster.pid'),
    `${process.ppid}\n${root}/data\n1\n5432\n\n127.0.0.1\n\nready\n`,
  );
  await using open = await openEmbeddedPostgres({ directory: root });
  expect(await ask(open.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a folder that only its owner may enter is no hindrance', async () => {
  await using directory = await temporaryDirectory();
  const closed = join(directory.path, 'closed');
  await mkdir(closed);
  await chmod(closed, 0o700);
  await using open = await openEmbeddedPostgres({ directory: join(closed, 'postgres') });
  expect(await ask(open.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect((await readFile(join(closed, 'postgres', 'password'), 'utf8')).length).toBeGreaterThan(20);
});
