import { startPostgres, startPostgresStandby, waitFor } from '@millrace/test-support';
import { sql } from 'kysely';
import pg from 'pg';
import { expect, test } from 'vitest';
import { openDatabase } from '../src/db/open.ts';
import { openReplica, type Read } from '../src/db/replica.ts';

test('reads go to a standby while it is close behind, else to the primary, and back again', async () => {
  await using primary = await startPostgres({ own: true });
  const url = await primary.createDatabase();
  const database = await openDatabase(url, 4, () => {});
  await using standby = await startPostgresStandby(primary);
  const standbyUrl = url.replace(`:${primary.port}/`, `:${standby.port}/`);
  const changes: boolean[] = [];
  const options = { url: standbyUrl, poolSize: 2, primary: database.db, maxLag: 1000 };
  const replica = openReplica({ ...options, onChange: (usable) => changes.push(usable) });
  const askedStandby = () => onStandby(replica.read);
  try {
    await waitFor(askedStandby, { timeout: 30_000 });
    expect(changes).toEqual([true]);

    // It still answers, and by its own account all that it received is replayed; but it is told nothing new.
    await once(standbyUrl, 'SELECT pg_wal_replay_pause()');
    await database.db.insertInto('tenants').values({ id: 'late' }).execute();
    await waitFor(async () => !(await askedStandby()), { timeout: 10_000 });
    const late = await replica.read((db) => tenants(db));
    expect(late).toContain('late');
    await once(standbyUrl, 'SELECT pg_wal_replay_resume()');
    await waitFor(askedStandby, { timeout: 30_000 });
    expect(await replica.read((db) => tenants(db))).toContain('late');

    await standby.crash();
    expect(await replica.read((db) => tenants(db)), 'the very read that fails is asked of the primary').toContain(
      'late',
    );
    await standby.restart();
    await waitFor(askedStandby, { timeout: 30_000 });

    await standby.promote();
    await waitFor(async () => !(await askedStandby()), { timeout: 10_000 });
  } finally {
    await replica.close();
    await database.close();
  }
}, 120_000);

async function once(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

async function onStandby(read: Read): Promise<boolean> {
  return await read(async (db) => {
    const { rows } = await sql<{ standby: boolean }>`SELECT pg_is_in_recovery() AS standby`.execute(db);
    return rows[0]?.standby === true;
  });
}

async function tenants(db: Parameters<Parameters<Read>[0]>[0]): Promise<string[]> {
  return (await db.selectFrom('tenants').select('id').execute()).map(({ id }) => id);
}
