import type { SqlMigration } from '../migrate.ts';

/**
 * What the forge says about commits. A delivery is stored as it came before anything is made of it: the forge does not
 * send it again by itself. `ci_checks` keeps one row per check, the latest truth; `ci_rollups` what they say together.
 */
export const ci: SqlMigration = {
  up: `
    CREATE TABLE webhook_deliveries (
      id text PRIMARY KEY,
      event text NOT NULL,
      body bytea NOT NULL,
      state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
      attempts integer NOT NULL DEFAULT 0,
      error text,
      next_attempt_at timestamptz NOT NULL DEFAULT now(),
      received_at timestamptz NOT NULL DEFAULT now(),
      processed_at timestamptz
    );
    CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
    CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (received_at);

    CREATE TABLE ci_checks (
      repo_id bigint NOT NULL,
      sha text NOT NULL,
      source text NOT NULL,
      key text NOT NULL,
      parent text,
      name text NOT NULL,
      object_id bigint NOT NULL,
      attempt integer NOT NULL,
      status text NOT NULL,
      status_rank smallint NOT NULL,
      conclusion text,
      observed_at bigint NOT NULL,
      url text,
      PRIMARY KEY (repo_id, sha, source, key),
      CHECK ((status = 'completed') = (conclusion IS NOT NULL))
    );

    CREATE TABLE ci_rollups (
      repo_id bigint NOT NULL,
      sha text NOT NULL,
      state text NOT NULL,
      failing text[] NOT NULL DEFAULT '{}',
      waiting text[] NOT NULL DEFAULT '{}',
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (repo_id, sha)
    );
  `,
  down: `
    DROP TABLE ci_rollups, ci_checks, webhook_deliveries;
  `,
};
