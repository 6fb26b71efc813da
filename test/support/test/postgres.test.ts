import { type PostgresServer, startPostgres, startPostgresStandby, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ own: true });
});
afterAll(() => server.stop());

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('databases are separate', async () => {
  const [first, second] = [await server.createDatabase(), await server.createDatabase()];
  await query(first, 'CREATE TABLE mine (id int)');
  await expect(query(second, 'SELECT * FROM mine')).rejects.toThrow(/does not exist/);
});

test('committed rows survive a crash and a restart on the same address', async () => {
  const url = await server.createDatabase();
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await server.crash();
  await server.restart();
  expect(await query(url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('nobody comes in without the password', async () => {
  const url = new URL(server.url);
  url.password = 'wrong';
  await expect(query(url.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
});

test('a standby follows and takes over', async () => {
  await using primary = await startPostgres({ own: true });
  await using standby = await startPostgresStandby(primary);
  await query(primary.url, 'CREATE TABLE followed AS SELECT 1 AS id');
  await waitFor(() => query(standby.url, 'SELECT id FROM followed'));
  await expect(query(standby.url, 'INSERT INTO followed VALUES (2)')).rejects.toThrow(/read-only/);
  await primary.crash();
  await standby.promote();
  await query(standby.url, 'INSERT INTO followed VALUES (2)');
  expect(await query(standby.url, 'SELECT count(*)::int AS n FROM followed')).toEqual([{ n: 2 }]);
});
