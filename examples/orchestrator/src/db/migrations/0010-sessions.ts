import type { SqlMigration } from '../migrate.ts';

/** Sessions of agents are found by their ids. */
export const sessions: SqlMigration = {
  up: `
    CREATE INDEX runs_by_session ON runs (tenant_id, session_id, created_at DESC) WHERE session_id IS NOT NULL;
  `,
  down: `
    DROP INDEX runs_by_session;
  `,
};
