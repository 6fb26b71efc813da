import type { SqlMigration } from '../migrate.ts';

/**
 * Tasks, what was said in them, and deadlines of runs. The indexes are those of the lists' filters: without them a filter
 * that few runs match reads all runs of the tenant. Times are kept as precisely as JavaScript can tell them, because they
 * are part of cursors: a cursor that lies a few microseconds before its row would skip what was made in the same request.
 */
export const tasks: SqlMigration = {
  up: `
    ALTER TABLE tasks
      ADD COLUMN ref text NOT NULL DEFAULT 'HEAD',
      ADD COLUMN prompt text NOT NULL DEFAULT '';
    CREATE INDEX tasks_by_tenant ON tasks (tenant_id, created_at DESC, id DESC);

    CREATE TABLE messages (
      id uuid PRIMARY KEY,
      task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
      run_id uuid REFERENCES runs ON DELETE SET NULL,
      author text NOT NULL CHECK (author IN ('user', 'agent')),
      body text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (run_id, author)
    );
    CREATE INDEX messages_by_task ON messages (task_id, id);

    ALTER TABLE runs ADD COLUMN deadline_at timestamptz;
    ALTER TABLE runs ALTER COLUMN created_at SET DEFAULT date_trunc('milliseconds', now());
    ALTER TABLE tasks ALTER COLUMN created_at SET DEFAULT date_trunc('milliseconds', now());
    CREATE INDEX runs_by_task ON runs (task_id, created_at DESC, id DESC) WHERE task_id IS NOT NULL;
    CREATE INDEX runs_by_repo ON runs (repo_id, created_at DESC, id DESC);
    CREATE INDEX runs_by_state ON runs (tenant_id, state, created_at DESC, id DESC);
    CREATE INDEX runs_with_deadline ON runs (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
  `,
  down: `
    DROP INDEX runs_with_deadline, runs_by_state, runs_by_repo, runs_by_task;
    ALTER TABLE runs ALTER COLUMN created_at SET DEFAULT now();
    ALTER TABLE runs DROP COLUMN deadline_at;
    DROP TABLE messages;
    DROP INDEX tasks_by_tenant;
    ALTER TABLE tasks ALTER COLUMN created_at SET DEFAULT now();
    ALTER TABLE tasks DROP COLUMN ref, DROP COLUMN prompt;
  `,
};
