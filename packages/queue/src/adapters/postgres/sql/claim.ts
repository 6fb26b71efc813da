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

-- One batch; n: how many.
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
  last_start float8;
  taken bigint[];
  attempts int[];
  special boolean;
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
  ), taken AS (
    DELETE FROM mr.ready r WHERE r.ctid = ANY (ARRAY(SELECT chosen.at FROM chosen))
  ), leased AS (
    INSERT INTO mr.lease (queue, session, fence, seq, tenant, claimed_at, ready_at, cost, call, attempt, priority, special)
      SELECT c.queue, holder, c.fence + b.turn, b.seq, b.name, c.now, b.ready_at, b.cost, call_number, b.attempt + 1, b.priority, b.special
      FROM chosen b
  ), told AS (
    SELECT array_agg(b.seq) AS seqs, array_agg(b.attempt + 1) AS attempts, bool_or(b.special) AS special, max(b.starts) AS last FROM chosen b
  ), served AS (
    SELECT name, count(*) AS n, sum(bytes) AS bytes, sum(cost) AS cost, sum(greatest(cost, 1)) AS share, max(rank) AS low,
      (array_agg(place_in_rank ORDER BY place DESC))[1] + 1 AS low_turn
    FROM chosen GROUP BY name
  )
  SELECT told.seqs, told.attempts, told.special, told.last, s.names, s.takes, s.sizes, s.costs, s.shares, s.lows, s.turns
    INTO taken, attempts, special, last_start, names, takes, sizes, costs, shares, lows, turns
    FROM told CROSS JOIN (
      SELECT array_agg(served.name) AS names, array_agg(served.n) AS takes, array_agg(served.bytes::bigint) AS sizes,
        array_agg(served.cost::bigint) AS costs, array_agg(served.share::bigint) AS shares, array_agg(served.low) AS lows,
        array_agg(served.low_turn) AS turns FROM served
    ) s;
  c.n := coalesce(cardinality(taken), 0);
  IF c.n = 0 THEN RETURN c; END IF;
  c := fn.count_claim(c, holder, taken, attempts, (SELECT sum(b) FROM unnest(sizes) b)::bigint, special);
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

-- One batch of the only tenant in the ring: its jobs stand in the order of claiming already, and the job behind them says whether, and in which
-- class, it stays in the ring. NULL: there are others, or limits to look at.
CREATE FUNCTION fn.claim_alone(c fn.call, holder int, call_number int, want int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  t record;
  h record;
  next_class int;
  finish float8;
BEGIN
  SELECT x.*, count(*) OVER () > 1 AS shared INTO t FROM (
    SELECT r.name, r.limits, r.paused, r.vtime, r.low_rank, r.low_turn, r.ctid AS at FROM mr.tenant r
      WHERE r.queue = c.queue AND r.ringed ORDER BY r.head_class DESC, r.vtime LIMIT 2) x;
  IF t.shared OR t.limits IS NOT NULL OR c.defaults <> '{}' OR t.paused THEN RETURN NULL; END IF;
  SELECT array_agg(r.at) AS places, array_agg(r.seq) AS seqs, array_agg(r.ready_at) AS readies, array_agg(r.cost) AS costs,
      array_agg(r.attempt + 1) AS attempts, array_agg(r.priority) AS priorities, array_agg(r.special) AS specials, count(*)::int AS n,
      sum(r.bytes)::bigint AS bytes, sum(greatest(r.cost, 1)) AS share, bool_or(r.special) AS special, max(r.rank) AS low, array_agg(r.turn) AS turns
    INTO h FROM (
      SELECT x.*, x.ctid AS at FROM mr.ready x WHERE x.queue = c.queue AND x.tenant = t.name AND (x.rank, x.turn) >= (t.low_rank, t.low_turn)
        ORDER BY x.rank, x.turn LIMIT want) r;
  c.n := h.n;
  IF h.n = 0 THEN RETURN c; END IF;
  DELETE FROM mr.ready r WHERE r.ctid = ANY (h.places);
  INSERT INTO mr.lease (queue, session, fence, seq, tenant, claimed_at, ready_at, cost, call, attempt, priority, special)
    SELECT c.queue, holder, c.fence + u.place, u.seq, t.name, c.now, u.ready_at, u.cost, call_number, u.attempt, u.priority, u.special FROM (
      SELECT generate_series(1, h.n) AS place, unnest(h.seqs) AS seq, unnest(h.readies) AS ready_at, unnest(h.costs) AS cost,
        unnest(h.attempts) AS attempt, unnest(h.priorities) AS priority, unnest(h.specials) AS special) u;
  c := fn.count_claim(c, holder, h.seqs, h.attempts, h.bytes, h.special);
  -- The clock stands at the start of the last job, the tenant at its end.
  finish := greatest(c.vclock, t.vtime) + h.share;
  c.vclock := greatest(c.vclock, finish - greatest(h.costs[h.n], 1));
  SELECT x.priority INTO next_class FROM mr.ready x
    WHERE x.queue = c.queue AND x.tenant = t.name AND (x.rank, x.turn) > (h.low, h.turns[h.n]) ORDER BY x.rank, x.turn LIMIT 1;
  UPDATE mr.tenant x SET version = c.version + 1, ready = x.ready - h.n, bytes = x.bytes - h.bytes, leased = x.leased + h.n, since = c.now,
      low_rank = h.low, low_turn = h.turns[h.n] + 1, vtime = finish, ringed = next_class IS NOT NULL, head_class = coalesce(next_class, x.head_class),
      head_rank = NULL, parked_until = NULL
    WHERE x.ctid = t.at;
  RETURN c;
END $$;

-- Notes what a batch has taken, in the order of its fences.
CREATE FUNCTION fn.count_claim(c fn.call, holder int, seqs bigint[], attempts int[], size bigint, special boolean) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF special THEN c := fn.claim_special(c, holder, seqs); END IF;
  c.taken := c.taken || seqs;
  c.tries := c.tries || attempts;
  c.fence := c.fence + c.n;
  c.ready := c.ready - c.n;
  c.leased := c.leased + c.n;
  c.bytes := c.bytes - size;
  IF c.limits ? 'rate' THEN c.tat := fn.after_starts(c.tat, c.now, c.limits->'rate', c.n); END IF;
  RETURN c;
END $$;

-- What some of the jobs just leased need: an end of their own lease, and for a debounced job that the next call with its key is another job.
CREATE FUNCTION fn.claim_special(c fn.call, holder int, seqs bigint[]) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  soonest bigint;
BEGIN
  WITH own AS (
    UPDATE mr.lease l SET visible_until = c.now + b.visibility
      FROM unnest(seqs) WITH ORDINALITY u(seq, place)
      CROSS JOIN LATERAL (SELECT (j.extra->>'v')::bigint AS visibility FROM mr.job j WHERE j.queue = c.queue AND j.seq = u.seq LIMIT 1) b
      WHERE b.visibility IS NOT NULL AND l.queue = c.queue AND l.session = holder AND l.fence = c.fence + u.place
      RETURNING l.visible_until
  )
  SELECT min(own.visible_until) INTO soonest FROM own;
  c.due := least(c.due, soonest);
  DELETE FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = ANY (ARRAY(
    SELECT b.key FROM unnest(seqs) u(seq)
      CROSS JOIN LATERAL (SELECT j.extra->>'d' AS key, j.extra->>'m' AS mode FROM mr.job j WHERE j.queue = c.queue AND j.seq = u.seq LIMIT 1) b
      WHERE b.mode = 'debounce'));
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
    room := least(want - cardinality(c.taken), fn.room_of_queue(c));
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
