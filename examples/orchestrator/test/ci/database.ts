import type { Kysely } from 'kysely';
import type { CiDatabase } from '../../src/ci/tables.ts';
import type { Database } from '../../src/db/schema.ts';
import { testDatabase } from '../support/database.ts';

/** The tables of CI in a migrated database of the test's own. */
export interface CiTestDatabase extends AsyncDisposable {
  readonly db: Kysely<CiDatabase>;
  /** Empties the tables. */
  clear(): Promise<void>;
}

const tables = [
  'ci_checks',
  'ci_rollups',
  'webhook_deliveries',
  'poll_targets',
  'webhook_sources',
  'webhook_sweeps',
] as const;

export async function ciTestDatabase(): Promise<CiTestDatabase> {
  const database = await testDatabase();
  const db = database.db.withTables<Omit<CiDatabase, keyof Database>>();
  return {
    db,
    async clear() {
      for (const table of tables) {
        await db.deleteFrom(table).execute();
      }
    },
    [Symbol.asyncDispose]: () => database.close(),
  };
}
