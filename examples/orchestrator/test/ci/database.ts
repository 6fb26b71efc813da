import type { Kysely } from 'kysely';
import type { CiDatabase } from '../../src/ci/tables.ts';
import { testDatabase } from '../support/database.ts';

/** The tables of CI in a migrated database of the test's own. */
export interface CiTestDatabase extends AsyncDisposable {
  readonly db: Kysely<CiDatabase>;
  /** Empties the tables. */
  clear(): Promise<void>;
}

export async function ciTestDatabase(): Promise<CiTestDatabase> {
  const database = await testDatabase();
  const db = database.db.withTables<Pick<CiDatabase, 'ci_checks' | 'ci_rollups' | 'webhook_deliveries'>>();
  return {
    db,
    async clear() {
      for (const table of ['ci_checks', 'ci_rollups', 'webhook_deliveries'] as const) {
        await db.deleteFrom(table).execute();
      }
    },
    [Symbol.asyncDispose]: () => database.close(),
  };
}
