import type { SqlMigration } from '../migrate.ts';

/**
 * Repositories as the forge knows them (its ids do not change, names do), pull requests of every forge, commits that the
 * fallback asks about, and when the forge was last heard of.
 */
export const forge: SqlMigration = {
  up: `
    ALTER TABLE repos ADD COLUMN forge text, ADD COLUMN forge_repo_id bigint;
    CREATE INDEX repos_by_forge_id ON repos (forge_repo_id) WHERE forge_repo_id IS NOT NULL;

    ALTER TABLE prs
      ADD COLUMN forge text NOT NULL DEFAULT 'local',
      ADD COLUMN url text,
      ADD COLUMN comments jsonb NOT NULL DEFAULT '{}';

    ALTER TABLE runs ADD COLUMN follow_up jsonb;

    CREATE TABLE poll_targets (
      repo_id bigint NOT NULL,
      sha text NOT NULL,
      repo_url text NOT NULL,
      reason text NOT NULL CHECK (reason IN ('silence', 'confirm')),
      polls integer NOT NULL DEFAULT 0,
      next_at timestamptz NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (repo_id, sha)
    );
    CREATE INDEX poll_targets_due ON poll_targets (next_at);

    CREATE TABLE webhook_sources (
      repo_id bigint PRIMARY KEY,
      heard_at timestamptz NOT NULL
    );

    CREATE TABLE webhook_sweeps (
      hook text PRIMARY KEY,
      next_at timestamptz NOT NULL,
      seen_to bigint NOT NULL DEFAULT 0
    );
  `,
  down: `
    DROP TABLE webhook_sweeps, webhook_sources, poll_targets;
    ALTER TABLE runs DROP COLUMN follow_up;
    ALTER TABLE prs DROP COLUMN forge, DROP COLUMN url, DROP COLUMN comments;
    DROP INDEX repos_by_forge_id;
    ALTER TABLE repos DROP COLUMN forge, DROP COLUMN forge_repo_id;
  `,
};
