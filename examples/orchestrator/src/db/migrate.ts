import { createHash } from 'node:crypto';
import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import { core } from './migrations/0001-core.ts';
import { ci } from './migrations/0002-ci.ts';
import { pullRequests } from './migrations/0003-pull-requests.ts';
import { usage } from './migrations/0004-usage.ts';
import { apiKeys } from './migrations/0005-api-keys.ts';
import { forge } from './migrations/0006-forge.ts';
import { tasks } from './migrations/0007-tasks.ts';
import { tenantRepos } from './migrations/0008-tenant-repos.ts';
import { archive } from './migrations/0009-archive.ts';
import { sessions } from './migrations/0010-sessions.ts';
import { ciRetention } from './migrations/0011-ci-retention.ts';
import type { Database } from './schema.ts';

/** A change of the schema as plain SQL, and the way back. Once released, its text never changes: a later one follows. */
export interface SqlMigration {
  readonly up: string;
  readonly down: string;
}

/** All migrations, in the order in which they apply. */
export const migrations: Readonly<Record<string, SqlMigration>> = {
  '0001-core': core,
  '0002-ci': ci,
  '0003-pull-requests': pullRequests,
  '0004-usage': usage,
  '0005-api-keys': apiKeys,
  '0006-forge': forge,
  '0007-tasks': tasks,
  '0008-tenant-repos': tenantRepos,
  '0009-archive': archive,
  '0010-sessions': sessions,
  '0011-ci-retention': ciRetention,
};

/** The database was migrated by another version of this program, or a released migration was edited. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError' as const;
  readonly code = 'ERR_MIGRATION' as const;
}

/**
 * Brings the schema up to this version. Several processes may call it at once: Kysely's migrator holds an advisory
 * lock. Old processes keep working while it runs, because each migration only widens (expand first, contract a release
 * later).
 */
export async function migrateUp(db: Kysely<Database>): Promise<void> {
  await ensureChecksums(db);
  const { error } = await migratorFor(db).migrateToLatest();
  if (error) throw asMigrationError(error);
  await verifyChecksums(db);
}

/** Takes back the last migration, for a roll-back during development. */
export async function migrateDown(db: Kysely<Database>): Promise<void> {
  const { error } = await migratorFor(db).migrateDown();
  if (error) throw asMigrationError(error);
}

function migratorFor(db: Kysely<Database>): Migrator {
  const entries = Object.entries(migrations).map(([name, migration]) => [name, asKyselyMigration(name, migration)]);
  return new Migrator({ db, provider: { getMigrations: async () => Object.fromEntries(entries) } });
}

function asKyselyMigration(name: string, migration: SqlMigration): Migration {
  return {
    async up(db: Kysely<Database>) {
      await sql.raw(migration.up).execute(db);
      await sql`INSERT INTO migration_checksums (name, sha256) VALUES (${name}, ${checksum(migration)})`.execute(db);
    },
    async down(db: Kysely<Database>) {
      await sql.raw(migration.down).execute(db);
      await sql`DELETE FROM migration_checksums WHERE name = ${name}`.execute(db);
    },
  };
}

function checksum(migration: SqlMigration): string {
  return createHash('sha256').update(migration.up).update('\0').update(migration.down).digest('hex');
}

/** `IF NOT EXISTS` alone can fail when two processes run it in the same instant; the advisory lock puts them in line. */
async function ensureChecksums(db: Kysely<Database>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('millrace migration_checksums'))`.execute(tx);
    await sql`CREATE TABLE IF NOT EXISTS migration_checksums (name text PRIMARY KEY, sha256 text NOT NULL)`.execute(tx);
  });
}

async function verifyChecksums(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ name: string; sha256: string }>`SELECT name, sha256 FROM migration_checksums`.execute(
    db,
  );
  for (const { name, sha256 } of rows) {
    const migration = migrations[name];
    if (migration && checksum(migration) !== sha256) {
      throw new MigrationError(
        `Migration ${name} differs from the one this database ran: restore it and add a new one.`,
      );
    }
  }
}

function asMigrationError(cause: unknown): MigrationError {
  return new MigrationError(`The database schema could not be brought up to date: ${(cause as Error).message}`, {
    cause,
  });
}
