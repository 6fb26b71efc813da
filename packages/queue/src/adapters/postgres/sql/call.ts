import { sql } from './sql.ts';

/**
 * A call under the lock of its queue: begin() reads, commit() writes, and what lies between works on a value of type `call`.
 * The lock is an advisory one of the transaction, so that taking it writes nothing; its first key is the table's own number.
 */
export const callFunctions: string = sql`
CREATE TYPE fn.call AS (
  queue int, version bigint, now bigint, epoch bigint,
  limits jsonb, defaults jsonb, retention jsonb, aging bigint, paused boolean,
  fence bigint, ceiling bigint, vclock float8, tat float8,
  ready bigint, delayed bigint, leased bigint, bytes bigint, cancels bigint, hungry int, aged_at bigint,
  due bigint, absorbed pg_snapshot, absorbed_all bigint,
  finished bigint, kept bigint[], kept_bytes bigint[], forgotten bigint[], result_until bigint, result_n bigint,
  -- Changes to the counters of tenants, not yet applied: see place().
  d_names text[], d_ready bigint[], d_delayed bigint[], d_leased bigint[], d_bytes bigint[], d_low bigint[],
  told_ready boolean, told_finished boolean,
  -- What the function called last has to say.
  outcome boolean, answer jsonb, n int,
  -- For the worker: what was swept, and whether more can be claimed.
  promoted int, expired jsonb, dropped int, more boolean,
  -- What was claimed, in the order of its fences: seq, and number of the attempt.
  taken bigint[], tries int[]
);

CREATE FUNCTION fn.now_ms() RETURNS bigint LANGUAGE sql AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE FUNCTION fn.lock_queue(q int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(('mr.queue'::regclass::oid::bigint - 2147483648)::int, q);
END $$;

CREATE FUNCTION fn.forget_changes(c fn.call) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  c.d_names := '{}';
  c.d_ready := '{}';
  c.d_delayed := '{}';
  c.d_leased := '{}';
  c.d_bytes := '{}';
  c.d_low := '{}';
  RETURN c;
END $$;

CREATE FUNCTION fn.begin(q int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  c fn.call;
  settings jsonb;
BEGIN
  -- A statement must see what the holder before us has written.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'MILLRACE_ISOLATION %', current_setting('transaction_isolation');
  END IF;
  PERFORM fn.lock_queue(q);
  SELECT s.version, s.fence, s.ceiling, s.vclock, s.tat, s.ready, s.delayed, s.leased, s.bytes, s.cancels, s.hungry, s.aged_at,
      s.due, s.absorbed, s.absorbed_all, s.finished, s.kept, s.kept_bytes, s.forgotten, s.result_until, s.result_n
    INTO c.version, c.fence, c.ceiling, c.vclock, c.tat, c.ready, c.delayed, c.leased, c.bytes, c.cancels, c.hungry, c.aged_at,
      c.due, c.absorbed, c.absorbed_all, c.finished, c.kept, c.kept_bytes, c.forgotten, c.result_until, c.result_n
    FROM mr.state s WHERE s.queue = q ORDER BY s.version DESC LIMIT 1;
  IF NOT FOUND THEN RAISE EXCEPTION 'MILLRACE_UNOPENED'; END IF;
  SELECT w.settings, w.paused INTO settings, c.paused FROM mr.queue w WHERE w.number = q;
  c.queue := q;
  c.now := fn.now_ms();
  c.limits := settings->'limits';
  c.defaults := settings->'tenantDefaults';
  c.retention := settings->'retention';
  c.aging := round((settings->>'aging')::numeric)::bigint;
  c := fn.forget_changes(c);
  c.promoted := 0;
  c.expired := '[]';
  c.dropped := 0;
  c.taken := '{}';
  c.tries := '{}';
  c.more := false;
  c.told_ready := false;
  c.told_finished := false;
  RETURN fn.note_epoch(c);
END $$;

CREATE FUNCTION fn.commit(c fn.call) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mr.state SET version = c.version + 1, fence = c.fence, ceiling = c.ceiling, vclock = c.vclock, tat = c.tat,
    ready = c.ready, delayed = c.delayed, leased = c.leased, bytes = c.bytes, cancels = c.cancels, hungry = c.hungry, aged_at = c.aged_at,
    due = c.due, absorbed = c.absorbed, absorbed_all = c.absorbed_all, finished = c.finished, kept = c.kept, kept_bytes = c.kept_bytes,
    forgotten = c.forgotten, result_until = c.result_until, result_n = c.result_n
    WHERE queue = c.queue AND version = c.version;
END $$;

-- The unlogged table is empty after a crash or a failover: then calls of the last moments may be undone. Fences go on above the ceiling, and the
-- workers, who see another epoch, settle again what they settled lately.
CREATE FUNCTION fn.note_epoch(c fn.call) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  SELECT a.epoch INTO c.epoch FROM mr.alive a WHERE a.queue = c.queue;
  IF FOUND THEN RETURN c; END IF;
  c.fence := greatest(c.fence, c.ceiling);
  c.ceiling := 0;
  INSERT INTO mr.alive VALUES (c.queue, c.now) ON CONFLICT DO NOTHING;
  c.epoch := c.now;
  RETURN c;
END $$;

-- Fences are times in microseconds, and at least one more than the last. The ceiling, above all that were given, is written through to the
-- disk before it is reached.
CREATE FUNCTION fn.prepare_fences(c fn.call, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  c.fence := greatest(c.fence, c.now * 1000);
  IF c.fence + most >= c.ceiling THEN
    c.ceiling := c.fence + most + 60000000;
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  RETURN c;
END $$;
`;
