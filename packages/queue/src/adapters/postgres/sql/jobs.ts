import { sql } from './sql.ts';

/** One job at a time: where it is, taking it from there, making it wait. Only under the lock of the queue. */
export const jobFunctions: string = sql`
CREATE TYPE fn.spot AS (
  seq bigint, id text, name text, tenant text, priority int, max_attempts int, cost bigint, bytes bigint,
  enqueued_at bigint, ready_at bigint, turn bigint, extra jsonb,
  state text, attempt int, special boolean,
  session int, fence bigint, call int, claimed_at bigint, visible_until bigint, cancel boolean, completed boolean, result text
);

-- Where a job stands in its tenant: by class, then by time. A class is 1e10 ms (115 days) wide.
CREATE FUNCTION fn.rank_of(ready_at bigint, priority int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT ready_at - priority * 10000000000 $$;

-- A job that waits or is leased; NULL when it is finished or unknown.
CREATE FUNCTION fn.find(c fn.call, job_id text) RETURNS fn.spot LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot;
BEGIN
  SELECT j.seq, j.id, j.name, j.tenant, j.priority, j.max_attempts, j.cost, j.bytes, j.enqueued_at, j.ready_at, coalesce(j.turn, j.seq), j.extra
    INTO s.seq, s.id, s.name, s.tenant, s.priority, s.max_attempts, s.cost, s.bytes, s.enqueued_at, s.ready_at, s.turn, s.extra
    FROM mr.job j WHERE j.queue = c.queue AND j.id = job_id;
  IF NOT FOUND THEN RETURN NULL; END IF;
  SELECT 'ready', r.attempt, r.special INTO s.state, s.attempt, s.special FROM mr.ready r
    WHERE r.queue = c.queue AND r.tenant = s.tenant AND r.rank = fn.rank_of(s.ready_at, s.priority) AND r.turn = s.turn;
  IF FOUND THEN RETURN s; END IF;
  SELECT 'delayed', d.attempt, d.special INTO s.state, s.attempt, s.special FROM mr.delayed d WHERE d.queue = c.queue AND d.seq = s.seq;
  IF FOUND THEN RETURN s; END IF;
  SELECT 'leased', l.attempt, l.special, l.session, l.fence, l.call, l.claimed_at, l.visible_until, l.cancel, l.completed, l.result
    INTO s.state, s.attempt, s.special, s.session, s.fence, s.call, s.claimed_at, s.visible_until, s.cancel, s.completed, s.result
    FROM mr.lease l WHERE l.queue = c.queue AND l.seq = s.seq;
  RETURN s;
END $$;

-- The job under a lease. Waits for a transaction that is acknowledging it.
CREATE FUNCTION fn.find_leased(c fn.call, session_number int, lease_fence bigint) RETURNS fn.spot LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot;
BEGIN
  SELECT 'leased', l.seq, l.attempt, l.special, l.session, l.fence, l.call, l.claimed_at, l.visible_until, l.cancel, l.completed, l.result
    INTO s.state, s.seq, s.attempt, s.special, s.session, s.fence, s.call, s.claimed_at, s.visible_until, s.cancel, s.completed, s.result
    FROM mr.lease l WHERE l.queue = c.queue AND l.session = session_number AND l.fence = lease_fence FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  SELECT j.id, j.name, j.tenant, j.priority, j.max_attempts, j.cost, j.bytes, j.enqueued_at, j.ready_at, coalesce(j.turn, j.seq), j.extra
    INTO s.id, s.name, s.tenant, s.priority, s.max_attempts, s.cost, s.bytes, s.enqueued_at, s.ready_at, s.turn, s.extra
    FROM mr.job j WHERE j.queue = c.queue AND j.seq = s.seq;
  RETURN s;
END $$;

-- Takes the job from where it is, and counts it out.
CREATE FUNCTION fn.leave(c fn.call, s fn.spot) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF s.state = 'ready' THEN
    DELETE FROM mr.ready r WHERE r.queue = c.queue AND r.tenant = s.tenant
      AND r.rank = fn.rank_of(s.ready_at, s.priority) AND r.turn = s.turn;
    c.ready := c.ready - 1;
    c.bytes := c.bytes - s.bytes;
    RETURN fn.count_tenant(c, s.tenant, -1, 0, 0, -s.bytes);
  ELSIF s.state = 'delayed' THEN
    DELETE FROM mr.delayed d WHERE d.queue = c.queue AND d.seq = s.seq;
    c.delayed := c.delayed - 1;
    c.bytes := c.bytes - s.bytes;
    RETURN fn.count_tenant(c, s.tenant, 0, -1, 0, -s.bytes);
  END IF;
  DELETE FROM mr.lease l WHERE l.queue = c.queue AND l.session = s.session AND l.fence = s.fence;
  c.leased := c.leased - 1;
  IF s.cancel THEN c.cancels := c.cancels - 1; END IF;
  RETURN fn.count_tenant(c, s.tenant, 0, 0, -1, 0);
END $$;

-- Puts a job that is nowhere among the waiting: at the end of its line, or in its old place. at NULL: until released by another job.
CREATE FUNCTION fn.enter(c fn.call, s fn.spot, at bigint, old_place boolean DEFAULT false) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  rank bigint := fn.rank_of(at, s.priority);
BEGIN
  IF NOT old_place THEN
    s.turn := nextval('mr.job_seq');
    UPDATE mr.job j SET ready_at = at, turn = s.turn WHERE j.queue = c.queue AND j.seq = s.seq;
  END IF;
  c.bytes := c.bytes + s.bytes;
  IF at <= c.now THEN
    INSERT INTO mr.ready (queue, tenant, rank, turn, seq, ready_at, cost, bytes, attempt, priority, special)
      VALUES (c.queue, s.tenant, rank, s.turn, s.seq, at, s.cost, s.bytes, s.attempt, s.priority, s.special);
    c.ready := c.ready + 1;
    c.told_ready := true;
    RETURN fn.count_tenant(c, s.tenant, 1, 0, 0, s.bytes, rank);
  END IF;
  INSERT INTO mr.delayed (queue, seq, ready_at, attempt, special) VALUES (c.queue, s.seq, at, s.attempt, s.special);
  c.delayed := c.delayed + 1;
  c.due := least(c.due, at);
  RETURN fn.count_tenant(c, s.tenant, 0, 1, 0, s.bytes);
END $$;

CREATE FUNCTION fn.reschedule(c fn.call, s fn.spot, at bigint) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  RETURN fn.enter(fn.leave(c, s), s, at);
END $$;

-- Keeps the last 10 failures.
CREATE FUNCTION fn.add_failure(c fn.call, job_seq bigint, failure jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO mr.note AS n (queue, seq, failures) VALUES (c.queue, job_seq, jsonb_build_array(failure))
    ON CONFLICT (queue, seq) DO UPDATE SET failures =
      CASE WHEN jsonb_array_length(n.failures) >= 10 THEN n.failures - 0 ELSE n.failures END || jsonb_build_array(failure);
END $$;
`;
