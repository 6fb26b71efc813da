import type { SqlMigration } from '../migrate.ts';

/** When a run's log went to the object store; the index holds only the runs whose log is still to go. */
export const archive: SqlMigration = {
  up: `
    ALTER TABLE runs ADD COLUMN log_archived_at timestamptz;
    CREATE INDEX runs_to_archive ON runs (finished_at) WHERE finished_at IS NOT NULL AND log_archived_at IS NULL;
    CREATE INDEX artifacts_by_age ON artifacts (created_at);
  `,
  down: `
    DROP INDEX artifacts_by_age;
    DROP INDEX runs_to_archive;
    ALTER TABLE runs DROP COLUMN log_archived_at;
  `,
};
