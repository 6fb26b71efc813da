import { sql } from './sql.ts';

/** What time alone brings about, each part bounded. Only under the lock of the queue. */
export const sweepFunctions: string = sql`
-- Ends leases of a session, or without one those whose own time is over; n: how many. What expired is noted as [id, name, tenant, fence, to].
-- A lease that a transaction is acknowledging right now is passed over.
CREATE FUNCTION fn.end_leases(c fn.call, holder int, polite boolean, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot;
  lease_fence bigint;
  owner int;
  ended int := 0;
BEGIN
  FOR owner, lease_fence IN
    SELECT l.session, l.fence FROM mr.lease l
      WHERE l.queue = c.queue AND (l.session = holder OR holder IS NULL) AND (holder IS NOT NULL OR l.visible_until <= c.now)
      ORDER BY l.session, l.fence LIMIT most FOR UPDATE SKIP LOCKED
  LOOP
    s := fn.find_leased(c, owner, lease_fence);
    ended := ended + 1;
    IF s.completed THEN c := fn.finish_completed(c, s);
    ELSIF polite THEN c := fn.return_unused(c, s);
    ELSE
      c := fn.expire(c, s);
      c.expired := c.expired || jsonb_build_array(jsonb_build_array(s.id, s.name, s.tenant, s.fence,
        CASE WHEN s.attempt >= s.max_attempts THEN 'dead' ELSE 'ready' END));
    END IF;
  END LOOP;
  c.n := ended;
  RETURN c;
END $$;

CREATE FUNCTION fn.expire_sessions(c fn.call, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  gone mr.session;
BEGIN
  FOR gone IN
    SELECT * FROM mr.session s WHERE s.queue = c.queue AND (s.ended OR s.expires_at <= c.now)
      ORDER BY s.expires_at LIMIT most FOR UPDATE SKIP LOCKED
  LOOP
    c := fn.end_leases(c, gone.number, gone.polite, most);
    most := most - c.n;
    IF gone.hungry THEN c.hungry := greatest(0, c.hungry - 1); END IF;
    IF most <= 0 OR EXISTS (SELECT 1 FROM mr.lease l WHERE l.queue = c.queue AND l.session = gone.number) THEN
      UPDATE mr.session s SET ended = true, hungry = false WHERE s.queue = c.queue AND s.id = gone.id;
    ELSE
      DELETE FROM mr.session s WHERE s.queue = c.queue AND s.id = gone.id;
    END IF;
    EXIT WHEN most <= 0;
  END LOOP;
  RETURN c;
END $$;

-- Moves due jobs from delayed to ready, all in one statement.
CREATE FUNCTION fn.promote_due(c fn.call, most int) RETURNS fn.call
LANGUAGE plpgsql AS $$
DECLARE
  names text[];
  counts bigint[];
  ranks bigint[];
  promoted_now int;
  zeros bigint[];
BEGIN
  WITH due AS (
    DELETE FROM mr.delayed d WHERE d.queue = c.queue AND d.seq = ANY (ARRAY(
      SELECT x.seq FROM mr.delayed x WHERE x.queue = c.queue AND x.ready_at <= c.now ORDER BY x.ready_at LIMIT most))
    RETURNING d.seq, d.ready_at, d.attempt, d.special
  ), moved AS (
    INSERT INTO mr.ready (queue, tenant, rank, turn, seq, ready_at, cost, bytes, attempt, priority, special)
      SELECT c.queue, j.tenant, fn.rank_of(due.ready_at, j.priority), coalesce(j.turn, j.seq), j.seq, due.ready_at, j.cost, j.bytes, due.attempt, j.priority, due.special
      FROM due CROSS JOIN LATERAL (SELECT x.* FROM mr.job x WHERE x.queue = c.queue AND x.seq = due.seq LIMIT 1) j
    RETURNING tenant, rank
  )
  SELECT array_agg(m.tenant), array_agg(m.n), array_agg(m.low), coalesce(sum(m.n), 0)::int INTO names, counts, ranks, promoted_now
    FROM (SELECT moved.tenant, count(*) AS n, min(moved.rank) AS low FROM moved GROUP BY moved.tenant) m;
  IF promoted_now = 0 THEN RETURN c; END IF;
  c.ready := c.ready + promoted_now;
  c.delayed := c.delayed - promoted_now;
  c.promoted := promoted_now;
  c.told_ready := true;
  zeros := array_fill(0::bigint, ARRAY[cardinality(names)]);
  RETURN fn.count_tenants(c, names, counts, ARRAY(SELECT -n FROM unnest(counts) n), zeros, zeros, ranks);
END $$;

-- Parked tenants whose time has come are placed anew.
CREATE FUNCTION fn.unpark(c fn.call, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  who text;
BEGIN
  FOR who IN SELECT t.name FROM mr.tenant t WHERE t.queue = c.queue AND t.parked_until <= c.now ORDER BY t.parked_until LIMIT most LOOP
    c := fn.count_tenant(c, who, 0, 0, 0, 0);
  END LOOP;
  RETURN c;
END $$;

-- Results whose time is over; from then on retention decides.
CREATE FUNCTION fn.release_results(c fn.call, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  d mr.done;
  keeps boolean := (c.retention->'succeeded'->>'count')::bigint > 0;
BEGIN
  FOR d IN
    SELECT * FROM mr.done x WHERE x.queue = c.queue AND x.keep_until IS NOT NULL AND x.keep_until <= c.now
      AND (x.keep_until, x.n) > (c.result_until, c.result_n) ORDER BY x.keep_until, x.n LIMIT most
  LOOP
    c.result_until := d.keep_until;
    c.result_n := d.n;
    IF keeps THEN
      c.finished := c.finished + 1;
      UPDATE mr.done x SET keep_until = NULL, n = c.finished WHERE x.slot = d.slot AND x.queue = d.queue AND x.id = d.id AND x.n = d.n;
      UPDATE mr.shelved h SET last_n = c.finished WHERE h.slot = d.slot AND h.queue = d.queue AND h.state = d.state;
      c.kept_bytes[1] := c.kept_bytes[1] + d.kept_bytes;
    ELSE
      c.kept[1] := c.kept[1] - 1;
      c.dropped := c.dropped + 1;
    END IF;
  END LOOP;
  RETURN c;
END $$;

-- Forgets the oldest beyond the rule, by moving a mark: the rows go with their partition.
CREATE FUNCTION fn.trim(c fn.call, name text, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  number int := fn.state_number(name);
  rule jsonb := c.retention->name;
  age bigint := (rule->>'age')::bigint;
  count bigint := (rule->>'count')::bigint;
  size bigint := (rule->>'bytes')::bigint;
  oldest record;
BEGIN
  FOR oldest IN
    SELECT d.n, d.finished_at, d.kept_bytes FROM mr.done d
      WHERE d.queue = c.queue AND d.state = number AND d.keep_until IS NULL AND d.n > c.forgotten[number] ORDER BY d.n LIMIT most
  LOOP
    IF oldest.finished_at + age > c.now AND c.kept[number] <= count AND c.kept_bytes[number] <= size THEN
      c.due := least(c.due, oldest.finished_at + age);
      EXIT;
    END IF;
    c.forgotten[number] := oldest.n;
    c.kept[number] := c.kept[number] - 1;
    c.kept_bytes[number] := c.kept_bytes[number] - oldest.kept_bytes;
    c.dropped := c.dropped + 1;
  END LOOP;
  RETURN c;
END $$;

CREATE FUNCTION fn.is_over(c fn.call, name text, number int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT c.kept[number] > (c.retention->name->>'count')::bigint OR c.kept_bytes[number] > (c.retention->name->>'bytes')::bigint
$$;

-- Begins the next partition for finished jobs once an hour, if nothing in it is kept any more.
CREATE FUNCTION fn.turn_shelf(at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  next int;
BEGIN
  SELECT (x.slot + 1) % 4 INTO next FROM mr.shelf x WHERE x.since <= at - 3600000 ORDER BY x.since DESC LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR EXISTS (
    SELECT 1 FROM mr.shelved h CROSS JOIN LATERAL (SELECT s.* FROM mr.state s WHERE s.queue = h.queue ORDER BY s.version DESC LIMIT 1) s
      WHERE h.slot = next AND (h.last_n > s.forgotten[h.state] AND s.kept[h.state] > 0
        -- Results are counted out when their time is over; the last may have been removed by hand, so a day is enough.
        OR h.last_until > s.result_until AND h.last_until > at - 86400000)
  ) THEN RETURN; END IF;
  BEGIN
    EXECUTE format('LOCK TABLE mr.done_%s IN ACCESS EXCLUSIVE MODE NOWAIT', next);
    EXECUTE format('TRUNCATE mr.done_%s', next);
  EXCEPTION WHEN lock_not_available THEN
    RETURN; -- Somebody is reading it; another time.
  END;
  DELETE FROM mr.shelved h WHERE h.slot = next;
  DELETE FROM mr.shelf;
  INSERT INTO mr.shelf VALUES (next, at);
END $$;

-- A lower bound of all times at which something happens by itself, taken anew.
CREATE FUNCTION fn.next_due(c fn.call) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN least(
    (SELECT d.ready_at FROM mr.delayed d WHERE d.queue = c.queue AND d.ready_at IS NOT NULL ORDER BY d.ready_at LIMIT 1),
    (SELECT l.visible_until FROM mr.lease l WHERE l.queue = c.queue AND l.visible_until IS NOT NULL ORDER BY l.visible_until LIMIT 1),
    (SELECT t.parked_until FROM mr.tenant t WHERE t.queue = c.queue AND t.parked_until IS NOT NULL ORDER BY t.parked_until LIMIT 1),
    (SELECT min(CASE WHEN s.ended THEN c.now ELSE s.expires_at END) FROM mr.session s WHERE s.queue = c.queue),
    (SELECT d.until FROM mr.dedupe d WHERE d.queue = c.queue AND d.until IS NOT NULL ORDER BY d.until LIMIT 1),
    (SELECT s.next_at FROM mr.schedule s WHERE s.queue = c.queue AND s.next_at IS NOT NULL ORDER BY s.next_at LIMIT 1),
    (SELECT d.keep_until FROM mr.done d WHERE d.queue = c.queue AND d.keep_until IS NOT NULL
      AND (d.keep_until, d.n) > (c.result_until, c.result_n) ORDER BY d.keep_until, d.n LIMIT 1),
    9007199254740991);
END $$;

CREATE FUNCTION fn.sweep(c fn.call, most int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  states text[] := ARRAY['succeeded', 'dead', 'cancelled'];
  is_due boolean := c.due <= c.now;
BEGIN
  IF is_due THEN
    c := fn.expire_sessions(c, most);
    c := fn.end_leases(c, NULL, false, most);
    c := fn.promote_due(c, most);
    c := fn.unpark(c, most);
    DELETE FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = ANY (ARRAY(
      SELECT x.key FROM mr.dedupe x WHERE x.queue = c.queue AND x.until <= c.now ORDER BY x.until LIMIT most));
    c := fn.release_results(c, most);
    c.due := 9007199254740991;
  END IF;
  FOR i IN 1..3 LOOP
    IF c.kept[i] > 0 AND (is_due OR fn.is_over(c, states[i], i)) THEN c := fn.trim(c, states[i], most); END IF;
  END LOOP;
  IF is_due THEN
    PERFORM fn.turn_shelf(c.now);
    c.due := least(c.due, fn.next_due(c));
  END IF;
  RETURN c;
END $$;
`;
