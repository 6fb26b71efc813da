import type { SqlMigration } from '../migrate.ts';

/** What runs used and cost, and when a parked run may go on. */
export const usage: SqlMigration = {
  up: `
    ALTER TABLE runs
      ADD COLUMN session_id text,
      ADD COLUMN input_tokens bigint NOT NULL DEFAULT 0,
      ADD COLUMN output_tokens bigint NOT NULL DEFAULT 0,
      ADD COLUMN cost_microusd bigint NOT NULL DEFAULT 0,
      ADD COLUMN budget_microusd bigint CHECK (budget_microusd > 0),
      ADD COLUMN parked_until timestamptz;

    CREATE TABLE usage_ledger (
      id uuid PRIMARY KEY,
      tenant_id text NOT NULL REFERENCES tenants,
      run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
      provider text NOT NULL,
      model text NOT NULL,
      input_tokens bigint NOT NULL,
      output_tokens bigint NOT NULL,
      cost_microusd bigint NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX usage_by_tenant ON usage_ledger (tenant_id, created_at);
    CREATE INDEX runs_parked ON runs (parked_until) WHERE state = 'parked';
  `,
  down: `
    DROP INDEX runs_parked;
    DROP TABLE usage_ledger;
    ALTER TABLE runs
      DROP COLUMN session_id,
      DROP COLUMN input_tokens,
      DROP COLUMN output_tokens,
      DROP COLUMN cost_microusd,
      DROP COLUMN budget_microusd,
      DROP COLUMN parked_until;
  `,
};
