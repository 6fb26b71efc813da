import { sql } from './sql.ts';

/** Limits, counters, and places in the ring. Only under the lock of the queue. */
export const tenantFunctions: string = sql`
-- Generic cell rate algorithm: when the next start is allowed.
CREATE FUNCTION fn.next_allowed(tat float8, rate jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
  SELECT tat + (rate->>'per')::float8 / (rate->>'limit')::float8
    * (1 - coalesce((rate->>'burst')::float8, (rate->>'limit')::float8))
$$;

CREATE FUNCTION fn.after_starts(tat float8, at bigint, rate jsonb, starts bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN starts = 0 THEN tat ELSE greatest(tat, at) + starts * (rate->>'per')::float8 / (rate->>'limit')::float8 END
$$;

-- How many starts are allowed now.
CREATE FUNCTION fn.allowed_starts(tat float8, at bigint, rate jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN rate IS NULL THEN 1000000 WHEN fn.next_allowed(tat, rate) > at THEN 0
    ELSE 1 + greatest(0, floor((at - greatest(tat, at)) / ((rate->>'per')::float8 / (rate->>'limit')::float8)
      + coalesce((rate->>'burst')::float8, (rate->>'limit')::float8) - 1 + 1e-9))::bigint END
$$;

-- Cost units used in the present window.
CREATE FUNCTION fn.spent_in(spent bigint, counted bigint, at bigint, per bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN counted = at / per THEN spent ELSE 0 END $$;

-- What keeps a tenant from claiming a job of this cost, and until when.
CREATE FUNCTION fn.hold(lim jsonb, t mr.tenant, cost bigint, at bigint, OUT reason text, OUT until bigint)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  per bigint;
  used bigint;
BEGIN
  IF t.paused THEN reason := 'tenant-paused'; RETURN; END IF;
  IF t.leased >= (lim->>'maxLeased')::bigint THEN reason := 'tenant-concurrency'; RETURN; END IF;
  IF lim ? 'rate' THEN
    until := ceil(fn.next_allowed(t.tat, lim->'rate'));
    IF until > at THEN reason := 'tenant-rate'; RETURN; END IF;
    until := NULL;
  END IF;
  IF lim ? 'budget' THEN
    per := (lim->'budget'->>'per')::bigint;
    used := fn.spent_in(t.spent, t.budget_window, at, per);
    -- A job dearer than the whole budget may run when the window is untouched: else it would wait for ever.
    IF used > 0 AND used + cost > (lim->'budget'->>'units')::bigint THEN
      reason := 'tenant-budget';
      until := (at / per + 1) * per;
    END IF;
  END IF;
END $$;

CREATE FUNCTION fn.tenant_of(q int, who text) RETURNS mr.tenant LANGUAGE sql AS
$$ SELECT t FROM mr.tenant t WHERE t.queue = q AND t.name = who ORDER BY t.version DESC LIMIT 1 $$;

-- Notes a change to the counters of a tenant. low: the least rank of a job that it has now.
CREATE FUNCTION fn.count_tenant(c fn.call, who text, readies int, delays int, leases int, size bigint, low bigint DEFAULT NULL)
RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  c.d_names := c.d_names || who;
  c.d_ready := c.d_ready || readies::bigint;
  c.d_delayed := c.d_delayed || delays::bigint;
  c.d_leased := c.d_leased || leases::bigint;
  c.d_bytes := c.d_bytes || size;
  c.d_low := c.d_low || low;
  RETURN c;
END $$;

CREATE FUNCTION fn.count_tenants(c fn.call, names text[], readies bigint[], delays bigint[], leases bigint[], sizes bigint[], lows bigint[])
RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  c.d_names := c.d_names || names;
  c.d_ready := c.d_ready || readies;
  c.d_delayed := c.d_delayed || delays;
  c.d_leased := c.d_leased || leases;
  c.d_bytes := c.d_bytes || sizes;
  c.d_low := c.d_low || lows;
  RETURN c;
END $$;

-- Applies the changes noted, and puts each tenant where it belongs: in the ring, parked until a time, or outside until something changes.
CREATE FUNCTION fn.place(c fn.call) RETURNS fn.call
LANGUAGE plpgsql AS $$
DECLARE
  parked bigint;
BEGIN
  IF cardinality(c.d_names) = 0 THEN RETURN c; END IF;
  IF c.defaults = '{}' AND c.d_names[1] = ALL (c.d_names) AND fn.place_alone(c) THEN RETURN fn.forget_changes(c); END IF;
  INSERT INTO mr.tenant (queue, name, version)
    SELECT DISTINCT c.queue, n, c.version FROM unnest(c.d_names) n
    WHERE (SELECT true FROM mr.tenant t WHERE t.queue = c.queue AND t.name = n LIMIT 1) IS NULL;
  WITH placed AS (
    UPDATE mr.tenant t SET
      version = c.version + 1,
      ready = t.ready + p.readies, delayed = t.delayed + p.delays, leased = t.leased + p.leases, bytes = t.bytes + p.sizes,
      low_rank = least(t.low_rank, p.low),
      low_turn = CASE WHEN p.low <= t.low_rank THEN 0 ELSE t.low_turn END,
      ringed = p.ringed,
      since = CASE WHEN p.enters THEN c.now ELSE t.since END,
      vtime = CASE WHEN p.enters THEN greatest(t.vtime, c.vclock) ELSE t.vtime END,
      head_class = CASE WHEN p.ringed THEN p.priority ELSE t.head_class END,
      head_rank = p.head_rank,
      parked_until = p.until
    FROM (
      SELECT x.at, d.readies, d.delays, d.leases, d.sizes, d.low, coalesce(b.priority, h.priority, 0) AS priority, b.rank AS head_rank, hold.until,
        h.priority IS NOT NULL AND hold.reason IS NULL AS ringed,
        h.priority IS NOT NULL AND hold.reason IS NULL AND NOT x.ringed AS enters
      FROM (
        SELECT u.name, sum(u.readies) AS readies, sum(u.delays) AS delays, sum(u.leases) AS leases, sum(u.sizes) AS sizes, min(u.low) AS low
        FROM unnest(c.d_names, c.d_ready, c.d_delayed, c.d_leased, c.d_bytes, c.d_low) AS u(name, readies, delays, leases, sizes, low)
        GROUP BY u.name
      ) d
      CROSS JOIN LATERAL (
        SELECT t.*, t.ctid AS at FROM mr.tenant t WHERE t.queue = c.queue AND t.name = d.name ORDER BY t.version DESC LIMIT 1
      ) x
      LEFT JOIN LATERAL (
        SELECT r.priority, r.cost, r.rank FROM mr.ready r
        WHERE r.queue = c.queue AND r.tenant = d.name
          AND (r.rank, r.turn) >= (least(x.low_rank, d.low), CASE WHEN d.low <= x.low_rank THEN 0 ELSE x.low_turn END)
        ORDER BY r.rank, r.turn LIMIT 1
      ) h ON true
      LEFT JOIN LATERAL (
        SELECT a.* FROM fn.first_affordable(c, x.name, x.version, h.rank) a
        WHERE h.priority IS NOT NULL AND (x.limits ? 'budget' OR c.defaults ? 'budget')
        OFFSET 0
      ) b ON true
      LEFT JOIN LATERAL (
        SELECT a.* FROM fn.hold_after(c, x.name, x.version, d.leases::bigint, coalesce(b.cost, h.cost)) a
        WHERE h.priority IS NOT NULL AND (x.paused OR x.limits IS NOT NULL OR c.defaults <> '{}')
        OFFSET 0
      ) hold ON true
    ) p
    WHERE t.ctid = p.at
    RETURNING t.parked_until
  )
  SELECT min(placed.parked_until) INTO parked FROM placed;
  c.due := least(c.due, parked);
  RETURN fn.forget_changes(c);
END $$;

-- As place(), for changes to one tenant that is known and has no limits: three steps instead of a plan of twenty. False: it is not such a one.
CREATE FUNCTION fn.place_alone(c fn.call) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  t record;
  d record;
  head_priority int;
BEGIN
  SELECT x.ctid AS at, x.limits, x.paused, x.low_rank, x.low_turn INTO t
    FROM mr.tenant x WHERE x.queue = c.queue AND x.name = c.d_names[1] ORDER BY x.version DESC LIMIT 1;
  IF t.at IS NULL OR t.limits IS NOT NULL OR t.paused THEN RETURN false; END IF;
  SELECT sum(u.readies) AS readies, sum(u.delays) AS delays, sum(u.leases) AS leases, sum(u.sizes) AS sizes, min(u.low) AS low INTO d
    FROM unnest(c.d_ready, c.d_delayed, c.d_leased, c.d_bytes, c.d_low) AS u(readies, delays, leases, sizes, low);
  IF d.low <= t.low_rank THEN
    t.low_rank := d.low;
    t.low_turn := 0;
  END IF;
  SELECT r.priority INTO head_priority FROM mr.ready r
    WHERE r.queue = c.queue AND r.tenant = c.d_names[1] AND (r.rank, r.turn) >= (t.low_rank, t.low_turn) ORDER BY r.rank, r.turn LIMIT 1;
  UPDATE mr.tenant x SET
      version = c.version + 1,
      ready = x.ready + d.readies, delayed = x.delayed + d.delays, leased = x.leased + d.leases, bytes = x.bytes + d.sizes,
      low_rank = t.low_rank, low_turn = t.low_turn,
      since = CASE WHEN head_priority IS NOT NULL AND NOT x.ringed THEN c.now ELSE x.since END,
      vtime = CASE WHEN head_priority IS NOT NULL AND NOT x.ringed THEN greatest(x.vtime, c.vclock) ELSE x.vtime END,
      ringed = head_priority IS NOT NULL, head_class = coalesce(head_priority, x.head_class), head_rank = NULL, parked_until = NULL
    WHERE x.ctid = t.at;
  RETURN true;
END $$;

-- The first job of the next class below, from a class of a tenant.
CREATE FUNCTION fn.class_below(c fn.call, who text, class int, OUT priority int, OUT rank bigint, OUT cost bigint, OUT ready_at bigint)
LANGUAGE plpgsql AS $$
BEGIN
  -- Clocks of two sessions may differ a little; classes are far apart.
  SELECT r.priority, r.rank, r.cost, r.ready_at INTO priority, rank, cost, ready_at FROM mr.ready r
    WHERE r.queue = c.queue AND r.tenant = who AND r.rank > fn.rank_of(c.now + 1000000, class) ORDER BY r.rank, r.turn LIMIT 1;
END $$;

-- Of the first jobs of a tenant's classes the highest that its budget can pay for.
CREATE FUNCTION fn.first_affordable(c fn.call, who text, known bigint, head bigint, OUT priority int, OUT rank bigint, OUT cost bigint)
LANGUAGE plpgsql AS $$
DECLARE
  t mr.tenant;
  h record;
BEGIN
  SELECT x.* INTO t FROM mr.tenant x WHERE x.queue = c.queue AND x.name = who AND x.version = known;
  SELECT r.priority::int AS priority, r.rank, r.cost INTO h FROM mr.ready r
    WHERE r.queue = c.queue AND r.tenant = who AND r.rank >= head ORDER BY r.rank, r.turn LIMIT 1;
  WHILE h.priority IS NOT NULL LOOP
    IF fn.can_pay(c.defaults || coalesce(t.limits, '{}'), t, h.cost, c.now) THEN
      priority := h.priority;
      rank := h.rank;
      cost := h.cost;
      RETURN;
    END IF;
    SELECT b.priority, b.rank, b.cost INTO h FROM fn.class_below(c, who, h.priority) b;
  END LOOP;
END $$;

-- A job dearer than the whole budget may run when the window is untouched: else it would wait for ever.
CREATE FUNCTION fn.can_pay(lim jsonb, t mr.tenant, cost bigint, at bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  used bigint := fn.spent_in(t.spent, t.budget_window, at, (lim->'budget'->>'per')::bigint);
BEGIN
  RETURN used = 0 OR used + cost <= (lim->'budget'->>'units')::bigint;
END $$;

CREATE FUNCTION fn.hold_after(c fn.call, who text, known bigint, more bigint, cost bigint, OUT reason text, OUT until bigint)
LANGUAGE plpgsql AS $$
DECLARE
  t mr.tenant;
BEGIN
  SELECT x.* INTO t FROM mr.tenant x WHERE x.queue = c.queue AND x.name = who AND x.version = known;
  t.leased := t.leased + more;
  SELECT h.reason, h.until INTO reason, until FROM fn.hold(c.defaults || coalesce(t.limits, '{}'), t, cost, c.now) h;
END $$;

-- Adds (or takes back) cost units in the present budget window.
CREATE FUNCTION fn.spend(c fn.call, who text, units bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  t mr.tenant := fn.tenant_of(c.queue, who);
  budget jsonb := (c.defaults || coalesce(t.limits, '{}'))->'budget';
  per bigint := (budget->>'per')::bigint;
BEGIN
  IF budget IS NULL OR units = 0 THEN RETURN; END IF;
  UPDATE mr.tenant SET spent = greatest(0, fn.spent_in(t.spent, t.budget_window, c.now, per) + units), budget_window = c.now / per
    WHERE queue = c.queue AND name = who AND version = t.version;
END $$;

-- Takes a start back that did not happen: share and rate.
CREATE FUNCTION fn.uncharge(c fn.call, who text, cost bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  t mr.tenant := fn.tenant_of(c.queue, who);
  lim jsonb := c.defaults || coalesce(t.limits, '{}');
BEGIN
  UPDATE mr.tenant SET
      vtime = t.vtime - greatest(cost, 1) / coalesce((lim->>'weight')::float8, 1),
      tat = CASE WHEN lim ? 'rate' THEN t.tat - (lim->'rate'->>'per')::float8 / (lim->'rate'->>'limit')::float8 ELSE t.tat END
    WHERE queue = c.queue AND name = who AND version = t.version;
END $$;

-- Forgets tenants that have nothing to remember, so that their number does not grow with all that ever were.
CREATE FUNCTION fn.drop_idle(c fn.call) RETURNS void LANGUAGE sql AS $$
  DELETE FROM mr.tenant t WHERE t.queue = c.queue AND (t.name, t.version) IN (
    SELECT x.name, x.version FROM mr.tenant x
    WHERE x.queue = c.queue AND x.ready = 0 AND x.delayed = 0 AND x.leased = 0 AND x.limits IS NULL AND NOT x.paused AND x.spent = 0
      AND x.vtime <= c.vclock AND x.tat <= c.now LIMIT 200)
$$;
`;
