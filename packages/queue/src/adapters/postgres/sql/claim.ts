import { sql } from './sql.ts';

/**
 * Leases ready jobs in the order of the contract, many in one statement.
 *
 * A tenant with virtual time v and weight w has its j-th job at max(v, clock) + (cost of the jobs before it) / w; sorted by class, then by
 * these times, the jobs of all tenants stand in the order in which they would be claimed one by one. Three things end a batch early, and the
 * next one goes on: more jobs of a tenant than were looked at, a higher class behind a lower one inside a tenant, and a turn of a lower class.
 */
export const claimFunctions: string = sql`
CREATE FUNCTION fn.room_of(c fn.call, t mr.tenant) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  lim jsonb;
BEGIN
  IF t.paused THEN RETURN 0; END IF;
  IF t.limits IS NULL AND c.defaults = '{}' THEN RETURN 1000000; END IF;
  lim := c.defaults || coalesce(t.limits, '{}');
  -- With a budget each job decides anew which is the next that can be paid for.
  IF lim ? 'budget' AND t.leased < coalesce((lim->>'maxLeased')::bigint, 9007199254740991) THEN
    RETURN least(1, fn.allowed_starts(t.tat, c.now, lim->'rate'));
  END IF;
  RETURN greatest(0, least(coalesce((lim->>'maxLeased')::bigint - t.leased, 1000000), fn.allowed_starts(t.tat, c.now, lim->'rate')));
END $$;

CREATE FUNCTION fn.room_of_queue(c fn.call) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF c.paused THEN RETURN 0; END IF;
  RETURN greatest(0, least(coalesce((c.limits->>'maxLeased')::bigint - c.leased, 1000000), fn.allowed_starts(c.tat, c.now, c.limits->'rate')));
END $$;

CREATE TYPE fn.late AS (tenant text, class int);

-- Whether a class may have its turn although a higher one has jobs.
CREATE FUNCTION fn.is_late(c fn.call, class int, top int, waits_since bigint) RETURNS boolean LANGUAGE sql AS $$
  SELECT class < top AND greatest(waits_since, coalesce((SELECT t.at FROM mr.class_turn t WHERE t.queue = c.queue AND t.class = is_late.class), 0))
    + (top - class) * c.aging <= c.now
$$;

-- A class that has waited long enough for a turn: that of the first tenant in each ring, or one that stands behind higher classes of its
-- tenant (of 32 tenants at the head of the highest ring).
CREATE FUNCTION fn.overdue(c fn.call) RETURNS fn.late LANGUAGE plpgsql AS $$
DECLARE
  top int := (SELECT t.head_class FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed ORDER BY t.head_class DESC LIMIT 1);
  class int := top;
  t record;
  h record;
BEGIN
  LOOP
    SELECT x.name, x.head_class, x.since INTO t FROM mr.tenant x
      WHERE x.queue = c.queue AND x.ringed AND x.head_class < class ORDER BY x.head_class DESC, x.vtime LIMIT 1;
    EXIT WHEN t.name IS NULL;
    IF fn.is_late(c, t.head_class, top, t.since) THEN RETURN ROW(t.name, t.head_class::int)::fn.late; END IF;
    class := t.head_class;
  END LOOP;
  FOR t IN SELECT x.name, x.head_class FROM mr.tenant x WHERE x.queue = c.queue AND x.ringed ORDER BY x.head_class DESC, x.vtime LIMIT 32 LOOP
    class := t.head_class;
    LOOP
      SELECT b.priority, b.ready_at INTO h FROM fn.class_below(c, t.name, class) b;
      EXIT WHEN h.priority IS NULL;
      IF fn.is_late(c, h.priority, top, h.ready_at) THEN RETURN ROW(t.name, h.priority::int)::fn.late; END IF;
      class := h.priority;
    END LOOP;
  END LOOP;
  RETURN NULL;
END $$;

-- A batch as JSON, column by column: written once per column instead of once per value. The jobs have the fences from first on.
CREATE FUNCTION fn.columns(first bigint, ids text[], names text[], tenants text[], priorities smallint[], attempts int[], most_attempts int[],
  costs bigint[], enqueued bigint[], ready bigint[], lengths int[], extras jsonb[])
RETURNS text LANGUAGE sql STABLE AS $$
  SELECT concat('[', first, ',', array_to_json(ids), ',', array_to_json(names), ',', array_to_json(tenants), ',', array_to_json(priorities), ',',
    array_to_json(attempts), ',', array_to_json(most_attempts), ',', array_to_json(costs), ',', array_to_json(enqueued), ',',
    array_to_json(ready), ',', array_to_json(lengths), ',', coalesce(array_to_json(extras), 'null'), ']')
$$;

-- One batch; n: how many. Notes the jobs as columns.
CREATE FUNCTION fn.claim_batch(c fn.call, holder int, call_number int, want int, late fn.late) RETURNS fn.call
LANGUAGE plpgsql AS $$
DECLARE
  names text[];
  takes bigint[];
  sizes bigint[];
  costs bigint[];
  shares bigint[];
  lows bigint[];
  turns bigint[];
  soonest bigint;
  last_start float8;
  keys text[];
  jobs text;
  bodies text;
  n int;
  clock float8 := c.vclock;
BEGIN
  WITH ring AS MATERIALIZED (
    SELECT t.name, t.vtime, fn.room_of(c, t) AS room,
      CASE WHEN late.tenant IS NOT NULL THEN fn.rank_of(c.now + 1000000, late.class + 1) ELSE coalesce(t.head_rank, t.low_rank) END AS low_rank,
      CASE WHEN late.tenant IS NOT NULL OR t.head_rank IS NOT NULL THEN 0 ELSE t.low_turn END AS low_turn,
      CASE WHEN t.limits IS NULL AND c.defaults = '{}' THEN 1 ELSE coalesce(((c.defaults || coalesce(t.limits, '{}'))->>'weight')::float8, 1) END AS weight,
      CASE WHEN t.limits IS NULL AND c.defaults = '{}' THEN NULL ELSE (c.defaults || coalesce(t.limits, '{}'))->'budget' END AS budget,
      t.spent, t.budget_window
    FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed AND (late.tenant IS NULL OR t.name = late.tenant)
    ORDER BY t.head_class DESC, t.vtime LIMIT want
  ), size AS MATERIALIZED (
    SELECT greatest(1, ceil(2.0 * want / greatest(count(*), 1)))::bigint AS most, count(*) AS tenants FROM ring
  ), heads AS (
    SELECT h.at, ring.name, ring.vtime, ring.weight, ring.budget, ring.spent, ring.budget_window, h.rank, h.turn AS place_in_rank, h.seq, h.ready_at, h.cost, h.bytes,
      h.attempt, h.priority, h.special, size.tenants, size.most
    FROM size, ring CROSS JOIN LATERAL (
      SELECT r.*, r.ctid AS at FROM mr.ready r
      WHERE r.queue = c.queue AND r.tenant = ring.name AND (r.rank, r.turn) >= (ring.low_rank, ring.low_turn)
      ORDER BY r.rank, r.turn LIMIT least(size.most, ring.room, want)
    ) h
  ), lined AS (
    SELECT heads.*,
      coalesce(sum(greatest(cost, 1)) OVER before, 0) AS share_before,
      coalesce(sum(cost) OVER before, 0) AS cost_before,
      min(priority) OVER (PARTITION BY name ORDER BY rank, place_in_rank) AS class,
      row_number() OVER (PARTITION BY name ORDER BY rank, place_in_rank) AS place
    FROM heads WINDOW before AS (PARTITION BY name ORDER BY rank, place_in_rank ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ), timed AS (
    SELECT lined.*,
      CASE WHEN place = 1 THEN vtime ELSE greatest(vtime, c.vclock) + share_before / weight END AS starts,
      tenants > 1 AND priority > class AS rises,
      budget IS NULL OR fn.spent_in(spent, budget_window, c.now, (budget->>'per')::bigint) + cost_before = 0
        OR fn.spent_in(spent, budget_window, c.now, (budget->>'per')::bigint) + cost_before + cost <= (budget->>'units')::bigint AS affordable
    FROM lined
  ), checked AS (
    SELECT timed.*,
      bool_or(rises) OVER along AS risen, bool_and(affordable) OVER along AS payable,
      (place = most AND tenants > 1) OR coalesce(lead(rises) OVER along, false) AS stops
    FROM timed WINDOW along AS (PARTITION BY name ORDER BY rank, place_in_rank)
  ), ordered AS (
    SELECT checked.*,
      row_number() OVER turns AS turn,
      coalesce(bool_or(stops) OVER (turns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS stopped
    FROM checked WHERE payable AND NOT risen
    WINDOW turns AS (ORDER BY CASE WHEN tenants > 1 THEN -class END, starts, name, place)
  ), chosen AS MATERIALIZED (
    SELECT * FROM ordered WHERE NOT stopped AND turn <= CASE WHEN late.tenant IS NULL THEN want ELSE 1 END ORDER BY turn
  ), bodies AS MATERIALIZED (
    SELECT chosen.*, j.id, j.tenant, j.payload, j.name AS job_name, j.max_attempts, j.enqueued_at, j.extra
    FROM chosen CROSS JOIN LATERAL (SELECT x.* FROM mr.job x WHERE x.queue = c.queue AND x.seq = chosen.seq LIMIT 1) j
  ), taken AS (
    DELETE FROM mr.ready r WHERE r.ctid = ANY (ARRAY(SELECT chosen.at FROM chosen))
  ), leased AS (
    INSERT INTO mr.lease (queue, session, fence, seq, tenant, claimed_at, ready_at, visible_until, cost, call, attempt, priority, special)
      SELECT c.queue, holder, c.fence + b.turn, b.seq, b.name, c.now, b.ready_at, CASE WHEN b.special THEN c.now + (b.extra->>'v')::bigint END,
        b.cost, call_number, b.attempt + 1, b.priority, b.special
      FROM bodies b
    RETURNING visible_until
  ), told AS (
    SELECT fn.columns(c.fence + 1, array_agg(b.id), array_agg(b.job_name), array_agg(b.tenant), array_agg(b.priority), array_agg(b.attempt + 1),
        array_agg(b.max_attempts), array_agg(b.cost), array_agg(b.enqueued_at), array_agg(b.ready_at), array_agg(octet_length(b.payload)),
        CASE WHEN count(b.extra) > 0 THEN array_agg(b.extra) END) AS jobs, string_agg(b.payload, '') AS bodies, count(*) AS n, max(b.starts) AS last,
      array_agg(b.extra->>'d') FILTER (WHERE b.special AND b.extra->>'m' = 'debounce') AS keys
    FROM bodies b
  ), served AS (
    SELECT name, count(*) AS n, sum(bytes) AS bytes, sum(cost) AS cost, sum(greatest(cost, 1)) AS share, max(rank) AS low,
      (array_agg(place_in_rank ORDER BY place DESC))[1] + 1 AS low_turn
    FROM chosen GROUP BY name
  )
  SELECT told.jobs, told.bodies, told.n, told.last, told.keys, (SELECT min(visible_until) FROM leased), s.names, s.takes, s.sizes, s.costs, s.shares, s.lows, s.turns
    INTO jobs, bodies, n, last_start, keys, soonest, names, takes, sizes, costs, shares, lows, turns
    FROM told CROSS JOIN (
      SELECT array_agg(served.name) AS names, array_agg(served.n) AS takes, array_agg(served.bytes::bigint) AS sizes,
        array_agg(served.cost::bigint) AS costs, array_agg(served.share::bigint) AS shares, array_agg(served.low) AS lows,
        array_agg(served.low_turn) AS turns FROM served
    ) s;
  c.n := n;
  IF n = 0 THEN RETURN c; END IF;
  c := fn.count_claim(c, jobs, bodies, n, (SELECT sum(b) FROM unnest(sizes) b)::bigint, soonest, keys);
  UPDATE mr.tenant t SET
      ready = t.ready - u.n, bytes = t.bytes - u.size, low_rank = CASE WHEN late.tenant IS NULL AND t.head_rank IS NULL THEN u.low ELSE t.low_rank END,
      low_turn = CASE WHEN late.tenant IS NULL AND t.head_rank IS NULL THEN u.turn ELSE t.low_turn END, since = c.now,
      vtime = greatest(t.vtime, clock) + u.share / coalesce((lim.it->>'weight')::float8, 1),
      tat = CASE WHEN lim.it ? 'rate' THEN fn.after_starts(t.tat, c.now, lim.it->'rate', u.n) ELSE t.tat END,
      spent = CASE WHEN lim.it ? 'budget' THEN
        fn.spent_in(t.spent, t.budget_window, c.now, (lim.it->'budget'->>'per')::bigint) + u.cost ELSE t.spent END,
      budget_window = CASE WHEN lim.it ? 'budget' THEN c.now / (lim.it->'budget'->>'per')::bigint ELSE t.budget_window END,
      leased = t.leased + u.n
    FROM unnest(names, takes, sizes, costs, shares, lows, turns) AS u(name, n, size, cost, share, low, turn)
    CROSS JOIN LATERAL (SELECT x.ctid AS at, x.limits FROM mr.tenant x WHERE x.queue = c.queue AND x.name = u.name ORDER BY x.version DESC LIMIT 1) x
    CROSS JOIN LATERAL (SELECT c.defaults || coalesce(x.limits, '{}') AS it) lim
    WHERE t.ctid = x.at;
  c.vclock := greatest(c.vclock, last_start);
  RETURN fn.touch(c, names);
END $$;

CREATE FUNCTION fn.touch(c fn.call, names text[]) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  zeros bigint[] := array_fill(0::bigint, ARRAY[cardinality(names)]);
BEGIN
  RETURN fn.place(fn.count_tenants(c, names, zeros, zeros, zeros, zeros, array_fill(NULL::bigint, ARRAY[cardinality(names)])));
END $$;

-- One batch of the only tenant in the ring: its jobs stand in the order of claiming already. NULL: there are others, or limits to look at.
CREATE FUNCTION fn.claim_alone(c fn.call, holder int, call_number int, want int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  t record;
  told record;
  finish float8;
BEGIN
  SELECT x.*, x.ctid AS at, count(*) OVER () > 1 AS shared INTO t FROM (
    SELECT r.*, r.ctid FROM mr.tenant r WHERE r.queue = c.queue AND r.ringed ORDER BY r.head_class DESC, r.vtime LIMIT 2) x;
  IF t.shared OR t.limits IS NOT NULL OR c.defaults <> '{}' OR t.paused THEN RETURN NULL; END IF;
  WITH heads AS MATERIALIZED (
    SELECT h.*, row_number() OVER () AS place FROM (
      SELECT r.*, r.ctid AS at FROM mr.ready r WHERE r.queue = c.queue AND r.tenant = t.name AND (r.rank, r.turn) >= (t.low_rank, t.low_turn)
        ORDER BY r.rank, r.turn LIMIT want) h
  ), bodies AS MATERIALIZED (
    SELECT heads.*, j.id, j.payload, j.name, j.max_attempts, j.enqueued_at, j.extra
    FROM heads CROSS JOIN LATERAL (SELECT x.* FROM mr.job x WHERE x.queue = c.queue AND x.seq = heads.seq LIMIT 1) j
  ), taken AS (
    DELETE FROM mr.ready r WHERE r.ctid = ANY (ARRAY(SELECT heads.at FROM heads))
  ), leased AS (
    INSERT INTO mr.lease (queue, session, fence, seq, tenant, claimed_at, ready_at, visible_until, cost, call, attempt, priority, special)
      SELECT c.queue, holder, c.fence + b.place, b.seq, b.tenant, c.now, b.ready_at, CASE WHEN b.special THEN c.now + (b.extra->>'v')::bigint END,
        b.cost, call_number, b.attempt + 1, b.priority, b.special
      FROM bodies b
  )
  SELECT fn.columns(c.fence + 1, array_agg(b.id), array_agg(b.name), array_agg(b.tenant), array_agg(b.priority), array_agg(b.attempt + 1),
      array_agg(b.max_attempts), array_agg(b.cost), array_agg(b.enqueued_at), array_agg(b.ready_at), array_agg(octet_length(b.payload)),
      CASE WHEN count(b.extra) > 0 THEN array_agg(b.extra) END) AS jobs,
    string_agg(b.payload, '') AS bodies, count(*)::int AS n, sum(b.bytes)::bigint AS bytes, sum(greatest(b.cost, 1)) AS share,
    (array_agg(greatest(b.cost, 1)))[count(*)] AS last_share, max(b.rank) AS low,
    (array_agg(b.turn))[count(*)] + 1 AS low_turn, c.now + min(CASE WHEN b.special THEN (b.extra->>'v')::bigint END) AS soonest,
    array_agg(b.extra->>'d') FILTER (WHERE b.special AND b.extra->>'m' = 'debounce') AS keys
    INTO told FROM bodies b;
  c.n := told.n;
  IF told.n = 0 THEN RETURN c; END IF;
  c := fn.count_claim(c, told.jobs, told.bodies, told.n, told.bytes, told.soonest, told.keys);
  -- The clock stands at the start of the last job, the tenant at its end.
  finish := greatest(c.vclock, t.vtime) + told.share;
  c.vclock := greatest(c.vclock, finish - told.last_share);
  UPDATE mr.tenant x SET ready = x.ready - told.n, bytes = x.bytes - told.bytes, leased = x.leased + told.n, since = c.now,
      low_rank = told.low, low_turn = told.low_turn, vtime = finish
    WHERE x.ctid = t.at;
  RETURN fn.touch(c, ARRAY[t.name]);
END $$;

-- Notes what a batch has taken.
CREATE FUNCTION fn.count_claim(c fn.call, jobs text, bodies text, n int, bytes bigint, soonest bigint, keys text[]) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  -- Once it runs, the next call with its key is another job.
  IF keys IS NOT NULL THEN DELETE FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = ANY (keys); END IF;
  c.n := n;
  c.claimed := c.claimed + n;
  c.jobs := concat(c.jobs, CASE WHEN c.jobs <> '' THEN ',' END, jobs);
  c.bodies := concat(c.bodies, bodies);
  c.fence := c.fence + n;
  c.ready := c.ready - n;
  c.leased := c.leased + n;
  c.bytes := c.bytes - bytes;
  c.due := least(c.due, soonest);
  IF c.limits ? 'rate' THEN c.tat := fn.after_starts(c.tat, c.now, c.limits->'rate', n); END IF;
  RETURN c;
END $$;

-- Claims up to want jobs. more: there are others that could have been claimed now.
CREATE FUNCTION fn.claim(c fn.call, holder int, call_number int, want int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  late fn.late;
  room int;
  alone fn.call;
BEGIN
  LOOP
    room := least(want - c.claimed, fn.room_of_queue(c));
    c.more := fn.room_of_queue(c) > 0 AND EXISTS (SELECT 1 FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed);
    EXIT WHEN room <= 0 OR NOT c.more;
    late := NULL;
    IF c.aging > 0 AND c.now >= c.aged_at THEN
      late := fn.overdue(c);
      c.aged_at := CASE WHEN late.tenant IS NULL THEN c.now + c.aging / 16 ELSE 0 END;
    END IF;
    alone := CASE WHEN late.tenant IS NULL THEN fn.claim_alone(c, holder, call_number, room) END;
    c := CASE WHEN alone.queue IS NULL THEN fn.claim_batch(c, holder, call_number, room, late) ELSE alone END;
    IF late.tenant IS NOT NULL THEN
      INSERT INTO mr.class_turn VALUES (c.queue, late.class, c.now) ON CONFLICT (queue, class) DO UPDATE SET at = excluded.at;
    END IF;
    IF c.n = 0 THEN
      -- They stand in the ring, and a change of limits or the cost of their next job keeps them from running.
      c := fn.touch(c, ARRAY(SELECT t.name FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed AND (late.tenant IS NULL OR t.name = late.tenant)
        ORDER BY t.head_class DESC, t.vtime LIMIT want));
    END IF;
  END LOOP;
  RETURN c;
END $$;
`;
