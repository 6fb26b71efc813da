import type { SqlMigration } from '../migrate.ts';

/**
 * Runs and what belongs to them. Logs are never in the run's row: a run that is busy would rewrite it with every line.
 * `dispatch` counts how often a run was handed to the queue; (dispatch, fence) orders the deliveries of a run even
 * when the queue was lost and its fences began anew.
 */
export const core: SqlMigration = {
  up: `
    CREATE TABLE tenants (
      id text PRIMARY KEY,
      weight integer NOT NULL DEFAULT 1 CHECK (weight > 0),
      max_concurrency integer CHECK (max_concurrency > 0),
      max_queued integer CHECK (max_queued >= 0),
      monthly_budget_microusd bigint CHECK (monthly_budget_microusd >= 0),
      created_at timestamptz NOT NULL DEFAULT now()
    );
    INSERT INTO tenants (id) VALUES ('default');

    CREATE TABLE repos (
      id uuid PRIMARY KEY,
      tenant_id text NOT NULL REFERENCES tenants,
      url text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (tenant_id, url)
    );

    CREATE TABLE tasks (
      id uuid PRIMARY KEY,
      tenant_id text NOT NULL REFERENCES tenants,
      repo_id uuid NOT NULL REFERENCES repos,
      title text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE runs (
      id uuid PRIMARY KEY,
      tenant_id text NOT NULL REFERENCES tenants,
      task_id uuid REFERENCES tasks,
      repo_id uuid NOT NULL REFERENCES repos,
      ref text NOT NULL,
      agent jsonb NOT NULL,
      message text NOT NULL,
      priority integer NOT NULL DEFAULT 0,
      timeout_ms bigint NOT NULL,
      state text NOT NULL DEFAULT 'queued',
      parked_reason text,
      attempt integer NOT NULL DEFAULT 0,
      dispatch integer NOT NULL DEFAULT 1,
      fence bigint NOT NULL DEFAULT 0,
      event_seq integer NOT NULL DEFAULT 0,
      worker_id text,
      job_id text,
      branch text NOT NULL,
      base_sha text,
      commit_sha text,
      files_changed integer,
      insertions integer,
      deletions integer,
      exit_code integer,
      error jsonb,
      traceparent text,
      cancel_requested_at timestamptz,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      admitted_at timestamptz,
      started_at timestamptz,
      finished_at timestamptz,
      CHECK ((state = 'parked') = (parked_reason IS NOT NULL)),
      CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
    );
    CREATE INDEX runs_by_tenant ON runs (tenant_id, created_at DESC, id DESC);
    CREATE INDEX runs_open ON runs (updated_at) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');

    CREATE TABLE run_events (
      run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
      seq integer NOT NULL,
      type text NOT NULL,
      from_state text,
      to_state text NOT NULL,
      data jsonb NOT NULL DEFAULT '{}',
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (run_id, seq)
    );

    CREATE TABLE outbox (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
      dispatch integer NOT NULL,
      available_at timestamptz NOT NULL DEFAULT now(),
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (run_id, dispatch)
    );
    CREATE INDEX outbox_due ON outbox (available_at, id);

    CREATE TABLE log_chunks (
      run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
      seq_from integer NOT NULL,
      seq_to integer NOT NULL CHECK (seq_to >= seq_from),
      body bytea NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (run_id, seq_from)
    );

    CREATE TABLE artifacts (
      run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
      kind text NOT NULL,
      object_key text NOT NULL,
      sha256 text NOT NULL,
      size bigint NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (run_id, kind)
    );

    CREATE TABLE workers (
      id text PRIMARY KEY,
      host text NOT NULL,
      pid integer NOT NULL,
      slots integer NOT NULL,
      busy integer NOT NULL DEFAULT 0,
      draining boolean NOT NULL DEFAULT false,
      started_at timestamptz NOT NULL DEFAULT now(),
      heartbeat_at timestamptz NOT NULL DEFAULT now()
    );
  `,
  down: `
    DROP TABLE workers, artifacts, log_chunks, outbox, run_events, runs, tasks, repos, tenants;
  `,
};
