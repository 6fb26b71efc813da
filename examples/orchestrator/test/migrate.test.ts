import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { MigrationError, migrateDown, migrateUp, migrations } from '../src/db/migrate.ts';
import { testDatabase } from './support/database.ts';

const tablesOf = async (database: Awaited<ReturnType<typeof testDatabase>>): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1
  `.execute(database.db);
  return rows.map((row) => row.name).filter((name) => !name.startsWith('kysely_'));
};

test('every migration can be taken back and applied again', async () => {
  await using database = await testDatabase();
  const whole = await tablesOf(database);
  for (const _ of Object.keys(migrations)) await migrateDown(database.db);
  expect(await tablesOf(database)).toEqual(['migration_checksums']);
  await migrateUp(database.db);
  expect(await tablesOf(database)).toEqual(whole);
});

test('many processes may migrate at once', async () => {
  await using database = await testDatabase();
  for (const _ of Object.keys(migrations)) await migrateDown(database.db);
  await Promise.all(Array.from({ length: 5 }, () => migrateUp(database.db)));
  expect(await tablesOf(database)).toContain('runs');
});

test('a released migration that was edited is noticed', async () => {
  await using database = await testDatabase();
  await sql`UPDATE migration_checksums SET sha256 = 'edited' WHERE name = '0001-core'`.execute(database.db);
  await expect(migrateUp(database.db)).rejects.toThrow(MigrationError);
});
