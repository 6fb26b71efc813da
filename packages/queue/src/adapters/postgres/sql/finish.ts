import { sql } from './sql.ts';

/** The end of a job: its key is free, its parent is told, and it is kept or forgotten. Only under the lock of the queue. */
export const finishFunctions: string = sql`
CREATE FUNCTION fn.state_number(name text) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE name WHEN 'succeeded' THEN 1 WHEN 'dead' THEN 2 ELSE 3 END $$;

-- The job has left its place.
CREATE FUNCTION fn.finish(c fn.call, s fn.spot, ending text, ending_result text) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF s.extra ? 'd' THEN c := fn.free_key(c, s); END IF;
  IF s.extra ? 'c' THEN PERFORM fn.pack_children(c, s); END IF;
  IF s.extra ? 'p' THEN c := fn.tell_parent(c, s, ending, ending_result); END IF;
  c := fn.keep(c, s, ending, ending_result);
  DELETE FROM mr.job j WHERE j.queue = c.queue AND j.seq = s.seq;
  DELETE FROM mr.note n WHERE n.queue = c.queue AND n.seq = s.seq;
  c.told_finished := true;
  RETURN c;
END $$;

-- What a parent knows of its children is kept with it, under 'r': it may be redriven.
CREATE FUNCTION fn.pack_children(c fn.call, s fn.spot) RETURNS void LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM mr.child x WHERE x.queue = c.queue AND x.parent_id = s.id RETURNING x.id, x.record
  ), packed AS (
    SELECT jsonb_agg(gone.record ORDER BY gone.id) AS records FROM gone
  )
  UPDATE mr.job j SET extra = j.extra || jsonb_build_object('r', packed.records) FROM packed
    WHERE j.queue = c.queue AND j.seq = s.seq AND packed.records IS NOT NULL
$$;

CREATE FUNCTION fn.unpack_children(c fn.call, d mr.done) RETURNS void LANGUAGE sql AS $$
  INSERT INTO mr.child (queue, parent_id, id, record)
    SELECT c.queue, d.id, r->>'id', r FROM jsonb_array_elements(d.extra->'r') AS r
$$;

CREATE FUNCTION fn.keep(c fn.call, s fn.spot, ending text, ending_result text) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  number int := fn.state_number(ending);
  rule jsonb := c.retention->ending;
  until bigint := CASE WHEN ending = 'succeeded' AND s.extra ? 'k' THEN c.now + (s.extra->>'k')::bigint END;
  size bigint;
BEGIN
  IF until IS NULL AND (rule->>'count')::bigint = 0 THEN RETURN c; END IF;
  c.finished := c.finished + 1;
  INSERT INTO mr.done (slot, queue, state, n, seq, id, name, tenant, priority, attempt, max_attempts, cost, bytes, enqueued_at, ready_at,
      finished_at, keep_until, kept_bytes, extra, failures, logs, progress, result, payload)
    SELECT w.slot, c.queue, number, c.finished, j.seq, j.id, j.name, j.tenant, j.priority, s.attempt, j.max_attempts, j.cost, j.bytes,
      j.enqueued_at, j.ready_at, c.now, until,
      j.bytes + coalesce(length(ending_result), 0)
        + coalesce((SELECT sum(length(f->>'message')) FROM jsonb_array_elements(n.failures) f), 0),
      j.extra, coalesce(n.failures, '[]'), coalesce(n.logs, '[]'), n.progress, ending_result, j.payload
    FROM mr.job j CROSS JOIN (SELECT x.slot FROM mr.shelf x ORDER BY x.since DESC LIMIT 1) w
    LEFT JOIN mr.note n ON n.queue = c.queue AND n.seq = j.seq
    WHERE j.queue = c.queue AND j.seq = s.seq
    RETURNING kept_bytes INTO size;
  INSERT INTO mr.shelved AS h SELECT x.slot, c.queue, number, c.finished, coalesce(until, 0) FROM mr.shelf x ORDER BY x.since DESC LIMIT 1
    ON CONFLICT (slot, queue, state) DO UPDATE SET last_n = excluded.last_n, last_until = greatest(h.last_until, excluded.last_until);
  c.kept[number] := c.kept[number] + 1;
  IF until IS NULL THEN
    c.kept_bytes[number] := c.kept_bytes[number] + size;
    c.due := least(c.due, c.now + (rule->>'age')::bigint);
  ELSE
    c.due := least(c.due, until);
  END IF;
  RETURN c;
END $$;

CREATE FUNCTION fn.free_key(c fn.call, s fn.spot) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  held mr.dedupe;
  follower fn.spot;
BEGIN
  SELECT * INTO held FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = s.extra->>'d';
  IF NOT FOUND OR held.until IS NOT NULL THEN RETURN c; END IF;
  IF held.next_id = s.id THEN
    UPDATE mr.dedupe d SET next_id = NULL WHERE d.queue = c.queue AND d.key = held.key;
  ELSIF held.job_id = s.id THEN
    -- The follow-up of a keep-last key takes the key over and may start.
    IF held.next_id IS NOT NULL THEN follower := fn.find(c, held.next_id); END IF;
    IF follower.id IS NULL THEN
      DELETE FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = held.key;
    ELSE
      UPDATE mr.dedupe d SET job_id = follower.id, latest = NULL, next_id = NULL WHERE d.queue = c.queue AND d.key = held.key;
      IF follower.state = 'delayed' THEN c := fn.reschedule(c, follower, c.now); END IF;
    END IF;
  END IF;
  RETURN c;
END $$;

CREATE FUNCTION fn.tell_parent(c fn.call, s fn.spot, ending text, ending_result text) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  parent fn.spot := fn.find(c, s.extra->>'p');
  pending int := (parent.extra->>'n')::int;
BEGIN
  IF parent.id IS NULL OR parent.state <> 'delayed' OR coalesce(pending, 0) = 0 THEN RETURN c; END IF;
  INSERT INTO mr.child (queue, parent_id, id, record)
    SELECT c.queue, parent.id, s.id, jsonb_strip_nulls(jsonb_build_object('id', s.id, 'name', s.name, 'state', ending, 'result', ending_result,
      'failure', (SELECT n.failures->-1 FROM mr.note n WHERE n.queue = c.queue AND n.seq = s.seq)))
    ON CONFLICT (queue, parent_id, id) DO UPDATE SET record = excluded.record;
  parent.extra := jsonb_set(parent.extra, '{n}', to_jsonb(pending - 1));
  UPDATE mr.job j SET extra = parent.extra WHERE j.queue = c.queue AND j.seq = parent.seq;
  IF ending <> 'succeeded' AND NOT s.extra ? 'i' THEN RETURN fn.fail_parent(c, parent, s, ending); END IF;
  IF pending = 1 THEN c := fn.reschedule(c, parent, c.now); END IF;
  RETURN c;
END $$;

CREATE FUNCTION fn.fail_parent(c fn.call, parent fn.spot, child fn.spot, ending text) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn.add_failure(c, parent.seq, jsonb_build_object('attempt', parent.attempt, 'at', c.now,
    'message', 'The child job ' || child.id || ' (' || child.name || ') ended ' || ending || '.',
    'code', 'ERR_CHILD_FAILED', 'fingerprint', 'ERR_CHILD_FAILED ' || child.name || ' ' || ending));
  RETURN fn.finish(fn.leave(c, parent), parent, 'dead', NULL);
END $$;

CREATE FUNCTION fn.visible(c fn.call, d mr.done) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN d.keep_until IS NULL THEN d.n > c.forgotten[d.state] ELSE (d.keep_until, d.n) > (c.result_until, c.result_n) END
$$;

-- A finished job that is still kept.
CREATE FUNCTION fn.find_done(c fn.call, job_id text) RETURNS mr.done LANGUAGE sql AS
$$ SELECT d FROM mr.done d WHERE d.queue = c.queue AND d.id = job_id AND fn.visible(c, d) ORDER BY d.n DESC LIMIT 1 $$;

-- Removes one out of order, at somebody's request.
CREATE FUNCTION fn.unkeep(c fn.call, d mr.done) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM mr.done x WHERE x.slot = d.slot AND x.queue = d.queue AND x.id = d.id AND x.n = d.n;
  c.kept[d.state] := c.kept[d.state] - 1;
  IF d.keep_until IS NULL THEN c.kept_bytes[d.state] := c.kept_bytes[d.state] - d.kept_bytes; END IF;
  RETURN c;
END $$;
`;
