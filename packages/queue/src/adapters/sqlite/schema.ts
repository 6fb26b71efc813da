/** Version of the layout, kept in `PRAGMA user_version`. */
export const layoutVersion = 3;

/** Queues in one file; the row id of a job is `sequence × queuesPerFile + queue`. */
export const queuesPerFile = 1_024;

/** Numbers of the states; those from `finishedFrom` up are finished. */
export const stateNumbers = { ready: 0, delayed: 1, leased: 2, succeeded: 3, dead: 4, cancelled: 5 } as const;

/** Turns a file of layout 2 into one of {@link layoutVersion}, together with {@link schema}, which makes what is missing. */
export const fromLayout2 = 'DROP INDEX IF EXISTS millrace_job_time;';

/**
 * One table per kind of row. Each order in which the engine reads jobs is a partial index, so that a job is in the index of its present state
 * only and leaves it when it moves on. Ready jobs are in order of time by class: jobs that are claimed together then lie together there, too.
 */
export const schema = `
CREATE TABLE IF NOT EXISTS millrace_queue (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  settings TEXT NOT NULL,
  hint_ready INTEGER NOT NULL DEFAULT 0,
  hint_cancel INTEGER NOT NULL DEFAULT 0,
  hint_finished INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS millrace_job (
  row_id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  tenant TEXT NOT NULL,
  state INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  ready_at INTEGER,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  enqueued_at INTEGER NOT NULL,
  session TEXT,
  call INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  claimed_at INTEGER NOT NULL DEFAULT 0,
  visible_until INTEGER,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  finished_at INTEGER,
  keep_until INTEGER,
  pending_children INTEGER NOT NULL DEFAULT 0,
  more TEXT,
  failures TEXT,
  logs TEXT,
  progress TEXT,
  result TEXT,
  payload TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS millrace_job_id ON millrace_job (queue, id);
CREATE INDEX IF NOT EXISTS millrace_job_ready ON millrace_job (queue, tenant, priority, ready_at) WHERE state = 0;
CREATE INDEX IF NOT EXISTS millrace_job_class ON millrace_job (queue, priority, ready_at) WHERE state = 0;
CREATE INDEX IF NOT EXISTS millrace_job_delayed ON millrace_job (queue, ready_at) WHERE state = 1;
CREATE INDEX IF NOT EXISTS millrace_job_leased ON millrace_job (queue, session) WHERE state = 2;
CREATE INDEX IF NOT EXISTS millrace_job_visible ON millrace_job (queue, visible_until) WHERE visible_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS millrace_job_cancel ON millrace_job (queue, session) WHERE cancel_requested = 1;
CREATE INDEX IF NOT EXISTS millrace_job_finished ON millrace_job (queue, state, finished_at) WHERE state >= 3 AND keep_until IS NULL;
CREATE INDEX IF NOT EXISTS millrace_job_kept ON millrace_job (queue, keep_until) WHERE keep_until IS NOT NULL;

CREATE TABLE IF NOT EXISTS millrace_tenant (
  queue INTEGER NOT NULL,
  name TEXT NOT NULL,
  limits TEXT,
  paused INTEGER NOT NULL,
  ready INTEGER NOT NULL,
  delayed INTEGER NOT NULL,
  leased INTEGER NOT NULL,
  waiting_bytes INTEGER NOT NULL,
  vtime REAL NOT NULL,
  tat REAL NOT NULL,
  spent INTEGER NOT NULL,
  "window" INTEGER NOT NULL,
  held INTEGER NOT NULL,
  parked_until REAL,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_tenant_held ON millrace_tenant (queue, held) WHERE held = 1;
CREATE INDEX IF NOT EXISTS millrace_tenant_parked ON millrace_tenant (queue, parked_until) WHERE parked_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS millrace_tenant_idle ON millrace_tenant (queue, vtime)
  WHERE ready = 0 AND delayed = 0 AND leased = 0 AND limits IS NULL AND paused = 0 AND spent = 0;

CREATE TABLE IF NOT EXISTS millrace_line (
  queue INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  priority INTEGER NOT NULL,
  score REAL NOT NULL,
  held INTEGER NOT NULL,
  PRIMARY KEY (queue, tenant, priority)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_line_ring ON millrace_line (queue, priority, score) WHERE held = 0;

CREATE TABLE IF NOT EXISTS millrace_class (
  queue INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  since INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  PRIMARY KEY (queue, priority)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_class_turn ON millrace_class (queue, turn, priority DESC);

CREATE TABLE IF NOT EXISTS millrace_session (
  queue INTEGER NOT NULL,
  id TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  barrier INTEGER NOT NULL,
  over INTEGER NOT NULL,
  polite INTEGER NOT NULL,
  PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_session_expiry ON millrace_session (queue, expires_at);

CREATE TABLE IF NOT EXISTS millrace_dedupe (
  queue INTEGER NOT NULL,
  key TEXT NOT NULL,
  job_id TEXT NOT NULL,
  until INTEGER,
  latest INTEGER,
  next_id TEXT,
  PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_dedupe_until ON millrace_dedupe (queue, until) WHERE until IS NOT NULL;

CREATE TABLE IF NOT EXISTS millrace_child (
  queue INTEGER NOT NULL,
  parent_id TEXT NOT NULL,
  id TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (queue, parent_id, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS millrace_schedule (
  queue INTEGER NOT NULL,
  key TEXT NOT NULL,
  next_at INTEGER,
  record TEXT NOT NULL,
  PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS millrace_schedule_next ON millrace_schedule (queue, next_at) WHERE next_at IS NOT NULL;
`;
