import type { SqlMigration } from '../migrate.ts';

/** What is known of commits is forgotten by its age. */
export const ciRetention: SqlMigration = {
  up: `
    CREATE INDEX ci_rollups_by_age ON ci_rollups (updated_at);
  `,
  down: `
    DROP INDEX ci_rollups_by_age;
  `,
};
