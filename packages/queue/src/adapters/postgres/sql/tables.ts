import { sql } from './sql.ts';

/**
 * Layout 1. Bodies stand apart in `job`; the hot tables (`ready`, `delayed`, `lease`, `arrival`) are narrow and only inserted into and deleted from.
 * What changes with every call (`state`, `tenant`) carries a version in its key: the newest is found from the end of the index, however many
 * dead versions a long transaction keeps alive. Finished jobs stand in partitions that are truncated, never deleted from.
 *
 * Times are milliseconds since 1970 of the server's clock. `seq` is the order of enqueueing.
 */
export const tables: string = sql`
CREATE TABLE mr.queue (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  settings jsonb NOT NULL,
  paused boolean NOT NULL DEFAULT false,
  -- Some high-water mark is set: producers must look at counters, under the lock of the queue.
  marked boolean NOT NULL DEFAULT false
);

CREATE TABLE mr.state (
  queue int NOT NULL,
  version bigint NOT NULL,
  fence bigint NOT NULL DEFAULT 0,
  ceiling bigint NOT NULL DEFAULT 0,
  vclock float8 NOT NULL DEFAULT 0,
  tat float8 NOT NULL DEFAULT 0,
  ready bigint NOT NULL DEFAULT 0,
  delayed bigint NOT NULL DEFAULT 0,
  leased bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  cancels bigint NOT NULL DEFAULT 0,
  hungry int NOT NULL DEFAULT 0,
  -- Not before then is looked for classes that have waited for long.
  aged_at bigint NOT NULL DEFAULT 0,
  due bigint NOT NULL DEFAULT 0,
  absorbed pg_snapshot,
  absorbed_all bigint NOT NULL DEFAULT 0,
  finished bigint NOT NULL DEFAULT 0,
  kept bigint[] NOT NULL DEFAULT '{0,0,0}',
  kept_bytes bigint[] NOT NULL DEFAULT '{0,0,0}',
  forgotten bigint[] NOT NULL DEFAULT '{0,0,0}',
  result_until bigint NOT NULL DEFAULT 0,
  result_n bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (queue, version)
) WITH (fillfactor = 50);

CREATE SEQUENCE mr.job_seq;

CREATE TABLE mr.job (
  queue int NOT NULL,
  seq bigint NOT NULL DEFAULT nextval('mr.job_seq'),
  id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  priority smallint NOT NULL,
  max_attempts int NOT NULL,
  cost bigint NOT NULL,
  bytes bigint NOT NULL,
  enqueued_at bigint NOT NULL,
  -- NULL: waits for other jobs.
  ready_at bigint,
  -- Its place among jobs of one rank, once it has come back; before that, seq.
  turn bigint,
  extra jsonb,
  payload text NOT NULL,
  PRIMARY KEY (queue, seq),
  UNIQUE (queue, id)
);

CREATE TABLE mr.ready (
  queue int NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  rank bigint NOT NULL,
  turn bigint NOT NULL,
  seq bigint NOT NULL,
  ready_at bigint NOT NULL,
  cost bigint NOT NULL,
  bytes bigint NOT NULL,
  attempt int NOT NULL,
  priority smallint NOT NULL,
  -- More is to be done at its end than to delete it.
  special boolean NOT NULL,
  PRIMARY KEY (queue, tenant, rank, turn)
);

CREATE TABLE mr.delayed (
  queue int NOT NULL,
  seq bigint NOT NULL,
  ready_at bigint,
  attempt int NOT NULL,
  special boolean NOT NULL,
  PRIMARY KEY (queue, seq)
);
CREATE INDEX delayed_due ON mr.delayed (queue, ready_at) WHERE ready_at IS NOT NULL;

CREATE TABLE mr.session (
  queue int NOT NULL,
  id text COLLATE "C" NOT NULL,
  number int GENERATED ALWAYS AS IDENTITY,
  expires_at bigint NOT NULL,
  barrier int NOT NULL DEFAULT 0,
  ended boolean NOT NULL DEFAULT false,
  polite boolean NOT NULL DEFAULT false,
  hungry boolean NOT NULL DEFAULT false,
  PRIMARY KEY (queue, id)
) WITH (fillfactor = 50);

CREATE TABLE mr.lease (
  queue int NOT NULL,
  session int NOT NULL,
  fence bigint NOT NULL,
  seq bigint NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  claimed_at bigint NOT NULL,
  ready_at bigint NOT NULL,
  visible_until bigint,
  cost bigint NOT NULL,
  call int NOT NULL,
  attempt int NOT NULL,
  priority smallint NOT NULL,
  special boolean NOT NULL,
  cancel boolean NOT NULL DEFAULT false,
  -- Acknowledged inside a transaction of its worker.
  completed boolean NOT NULL DEFAULT false,
  result text,
  PRIMARY KEY (queue, session, fence)
);
CREATE INDEX lease_visible ON mr.lease (queue, visible_until) WHERE visible_until IS NOT NULL;
CREATE INDEX lease_cancel ON mr.lease (queue, session) WHERE cancel;

CREATE TABLE mr.tenant (
  queue int NOT NULL,
  name text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  limits jsonb,
  paused boolean NOT NULL DEFAULT false,
  ready bigint NOT NULL DEFAULT 0,
  delayed bigint NOT NULL DEFAULT 0,
  leased bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  vtime float8 NOT NULL DEFAULT 0,
  tat float8 NOT NULL DEFAULT 0,
  spent bigint NOT NULL DEFAULT 0,
  budget_window bigint NOT NULL DEFAULT 0,
  ringed boolean NOT NULL DEFAULT false,
  head_class smallint NOT NULL DEFAULT 0,
  since bigint NOT NULL DEFAULT 0,
  parked_until bigint,
  -- No ready job of the tenant stands before this: claims begin here, past what dead rows a long transaction keeps.
  low_rank bigint NOT NULL DEFAULT -9223372036854775808,
  low_turn bigint NOT NULL DEFAULT 0,
  -- With a budget: the first job that it can pay for may stand behind dearer ones of higher classes.
  head_rank bigint,
  PRIMARY KEY (queue, name, version)
) WITH (fillfactor = 70);
CREATE INDEX tenant_ring ON mr.tenant (queue, head_class DESC, vtime) WHERE ringed;
CREATE INDEX tenant_parked ON mr.tenant (queue, parked_until) WHERE parked_until IS NOT NULL;
CREATE INDEX tenant_idle ON mr.tenant (queue, vtime)
  WHERE ready = 0 AND delayed = 0 AND leased = 0 AND limits IS NULL AND NOT paused AND spent = 0;

-- What producers stored since the counters were last brought up to date. xid finds what no call has seen yet, see absorb().
CREATE TABLE mr.arrival (
  queue int NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  tenant text COLLATE "C" NOT NULL,
  ready int NOT NULL,
  delayed int NOT NULL,
  bytes bigint NOT NULL,
  min_rank bigint,
  min_ready_at bigint,
  -- Jobs that need a look at other jobs, written in a transaction of a producer.
  jobs jsonb
);
CREATE INDEX arrival_xid ON mr.arrival (queue, xid);

-- Failures, logs and progress of jobs that have any.
CREATE TABLE mr.note (
  queue int NOT NULL,
  seq bigint NOT NULL,
  failures jsonb NOT NULL DEFAULT '[]',
  logs jsonb NOT NULL DEFAULT '[]',
  progress text,
  PRIMARY KEY (queue, seq)
);

CREATE TABLE mr.done (
  slot smallint NOT NULL,
  queue int NOT NULL,
  -- 1 succeeded, 2 dead, 3 cancelled; n counts the finished jobs of the queue.
  state smallint NOT NULL,
  n bigint NOT NULL,
  seq bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  priority smallint NOT NULL,
  attempt int NOT NULL,
  max_attempts int NOT NULL,
  cost bigint NOT NULL,
  bytes bigint NOT NULL,
  enqueued_at bigint NOT NULL,
  ready_at bigint,
  finished_at bigint NOT NULL,
  keep_until bigint,
  kept_bytes bigint NOT NULL,
  extra jsonb,
  failures jsonb NOT NULL,
  logs jsonb NOT NULL,
  progress text,
  result text,
  payload text NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE mr.done_0 PARTITION OF mr.done FOR VALUES IN (0);
CREATE TABLE mr.done_1 PARTITION OF mr.done FOR VALUES IN (1);
CREATE TABLE mr.done_2 PARTITION OF mr.done FOR VALUES IN (2);
CREATE TABLE mr.done_3 PARTITION OF mr.done FOR VALUES IN (3);
CREATE INDEX done_order ON mr.done (queue, state, n) WHERE keep_until IS NULL;
CREATE INDEX done_id ON mr.done (queue, id);
CREATE INDEX done_results ON mr.done (queue, keep_until, n) WHERE keep_until IS NOT NULL;

-- Which partition is written to, and since when.
CREATE TABLE mr.shelf (
  slot smallint NOT NULL,
  since bigint NOT NULL
);
INSERT INTO mr.shelf VALUES (0, 0);
-- The newest that each queue has put into each partition.
CREATE TABLE mr.shelved (
  slot smallint NOT NULL,
  queue int NOT NULL,
  state smallint NOT NULL,
  last_n bigint NOT NULL,
  last_until bigint NOT NULL,
  PRIMARY KEY (slot, queue, state)
) WITH (fillfactor = 50);

-- The last turn of a class that got one out of order, for having waited.
CREATE TABLE mr.class_turn (
  queue int NOT NULL,
  class smallint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (queue, class)
);

CREATE TABLE mr.dedupe (
  queue int NOT NULL,
  key text COLLATE "C" NOT NULL,
  job_id text COLLATE "C" NOT NULL,
  until bigint,
  latest bigint,
  next_id text COLLATE "C",
  PRIMARY KEY (queue, key)
);
CREATE INDEX dedupe_until ON mr.dedupe (queue, until) WHERE until IS NOT NULL;

CREATE TABLE mr.child (
  queue int NOT NULL,
  parent_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  record jsonb NOT NULL,
  PRIMARY KEY (queue, parent_id, id)
);

CREATE TABLE mr.schedule (
  queue int NOT NULL,
  key text COLLATE "C" NOT NULL,
  next_at bigint,
  record jsonb NOT NULL,
  PRIMARY KEY (queue, key)
);
CREATE INDEX schedule_next ON mr.schedule (queue, next_at) WHERE next_at IS NOT NULL;

-- Jobs for a queue elsewhere, written in transactions of this database; see relayOutbox().
CREATE TABLE mr.outbox (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue text NOT NULL,
  jobs jsonb NOT NULL,
  atomic boolean NOT NULL
);

-- Emptied by a crash or a failover: then acknowledgements and claims of the last moments may be undone, see begin().
CREATE UNLOGGED TABLE mr.alive (
  queue int PRIMARY KEY,
  epoch bigint NOT NULL
);
`;

/** Busy tables are vacuumed by the number of their dead rows, not by their share, and at once. */
export const vacuuming: string = [
  'state',
  'ready',
  'delayed',
  'session',
  'lease',
  'tenant',
  'arrival',
  'job',
  'note',
  'dedupe',
  'outbox',
]
  .map(
    (table) =>
      sql`ALTER TABLE mr.` +
      `${table} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0, ` +
      'autovacuum_analyze_scale_factor = 0.2, autovacuum_analyze_threshold = 10000);',
  )
  .join('\n');
