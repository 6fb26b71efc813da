import type { SqlMigration } from '../migrate.ts';

/** Keys of the API. Only their digests are kept: whoever reads the table can call nothing. */
export const apiKeys: SqlMigration = {
  up: `
    CREATE TABLE api_keys (
      id uuid PRIMARY KEY,
      tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
      name text NOT NULL,
      digest bytea NOT NULL UNIQUE,
      scopes text[] NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      revoked_at timestamptz
    );
    CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id);
    CREATE INDEX runs_queued_by_tenant ON runs (tenant_id) WHERE state = 'queued';
    ALTER TABLE runs ADD COLUMN retry_of uuid REFERENCES runs ON DELETE SET NULL;
  `,
  down: `
    ALTER TABLE runs DROP COLUMN retry_of;
    DROP INDEX runs_queued_by_tenant;
    DROP TABLE api_keys;
  `,
};
