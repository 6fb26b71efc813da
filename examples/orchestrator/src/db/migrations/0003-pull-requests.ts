import type { SqlMigration } from '../migrate.ts';

/** What a run asks of the forge, and the pull requests of the `local` forge, which has no server to keep them. */
export const pullRequests: SqlMigration = {
  up: `
    ALTER TABLE runs
      ADD COLUMN pull_request jsonb,
      ADD COLUMN pr_number integer,
      ADD COLUMN pr_url text;

    CREATE TABLE prs (
      repo_id uuid NOT NULL REFERENCES repos ON DELETE CASCADE,
      number integer NOT NULL,
      head text NOT NULL,
      base text NOT NULL,
      head_sha text NOT NULL,
      title text NOT NULL,
      body text NOT NULL,
      state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'merged')),
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (repo_id, number),
      UNIQUE (repo_id, head)
    );

    CREATE INDEX runs_waiting_for_checks ON runs (commit_sha) WHERE state = 'ci_waiting';
  `,
  down: `
    DROP INDEX runs_waiting_for_checks;
    DROP TABLE prs;
    ALTER TABLE runs DROP COLUMN pull_request, DROP COLUMN pr_number, DROP COLUMN pr_url;
  `,
};
