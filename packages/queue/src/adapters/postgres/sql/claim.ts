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
  RETURN greatest(0, least(coalesce((lim->>'maxLeased')::bigint - t.leased, 1000000), fn.allowed_starts(t.tat, c.now, lim->'rate')));
END $$;

CREATE FUNCTION fn.room_of_queue(c fn.call) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF c.paused THEN RETURN 0; END IF;
  RETURN greatest(0, least(coalesce((c.limits->>'maxLeased')::bigint - c.leased, 1000000), fn.allowed_starts(c.tat, c.now, c.limits->'rate')));
END $$;

-- The tenant of a lower class that has waited long enough for a turn. Looked for among the 64 that have waited longest, priorities counted in.
CREATE FUNCTION fn.overdue(c fn.call) RETURNS text
LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
  top int := (SELECT t.head_class FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed ORDER BY t.head_class DESC LIMIT 1);
  low int := (SELECT t.head_class FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed ORDER BY t.head_class LIMIT 1);
BEGIN
  IF top = low THEN RETURN NULL; END IF;
  RETURN (SELECT x.name FROM (
      SELECT t.name, t.head_class FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed AND t.urgency <= c.now - top * c.step ORDER BY t.urgency LIMIT 64
    ) x WHERE x.head_class < top LIMIT 1);
END $$;

-- One batch; n: how many. Notes the jobs as JSON without brackets.
CREATE FUNCTION fn.claim_batch(c fn.call, holder int, call_number int, want int, chosen_tenant text) RETURNS fn.call
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  names text[];
  takes bigint[];
  sizes bigint[];
  costs bigint[];
  shares bigint[];
  lows bigint[];
  soonest bigint;
  last_start float8;
  keys text[];
  jobs text;
  n int;
  clock float8 := c.vclock;
BEGIN
  WITH ring AS MATERIALIZED (
    SELECT t.name, t.vtime, t.low_rank, fn.room_of(c, t) AS room,
      CASE WHEN t.limits IS NULL AND c.defaults = '{}' THEN 1 ELSE coalesce(((c.defaults || coalesce(t.limits, '{}'))->>'weight')::float8, 1) END AS weight,
      CASE WHEN t.limits IS NULL AND c.defaults = '{}' THEN NULL ELSE (c.defaults || coalesce(t.limits, '{}'))->'budget' END AS budget,
      t.spent, t.budget_window
    FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed AND (chosen_tenant IS NULL OR t.name = chosen_tenant)
    ORDER BY t.head_class DESC, t.vtime LIMIT want
  ), size AS MATERIALIZED (
    SELECT greatest(1, ceil(2.0 * want / greatest(count(*), 1)))::bigint AS most, count(*) AS tenants FROM ring
  ), heads AS (
    SELECT ring.name, ring.vtime, ring.weight, ring.budget, ring.spent, ring.budget_window, h.rank, h.turn AS place_in_rank, h.seq, h.ready_at, h.cost, h.bytes,
      h.attempt, h.priority, h.special, size.tenants, size.most
    FROM size, ring CROSS JOIN LATERAL (
      SELECT r.* FROM mr.ready r WHERE r.queue = c.queue AND r.tenant = ring.name AND r.rank >= ring.low_rank
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
    SELECT * FROM ordered WHERE NOT stopped AND turn <= CASE WHEN chosen_tenant IS NULL THEN want ELSE 1 END ORDER BY turn
  ), taken AS (
    DELETE FROM mr.ready r USING chosen WHERE r.queue = c.queue AND r.tenant = chosen.name AND r.rank = chosen.rank AND r.turn = chosen.place_in_rank
  ), leased AS (
    INSERT INTO mr.lease (queue, session, fence, seq, tenant, claimed_at, ready_at, visible_until, cost, call, attempt, priority, special)
      SELECT c.queue, holder, c.fence + chosen.turn, chosen.seq, chosen.name, c.now, chosen.ready_at,
        CASE WHEN chosen.special THEN c.now + (j.extra->>'v')::bigint END,
        chosen.cost, call_number, chosen.attempt + 1, chosen.priority, chosen.special
      FROM chosen JOIN mr.job j ON j.queue = c.queue AND j.seq = chosen.seq ORDER BY chosen.turn
    RETURNING visible_until
  ), told AS (
    SELECT string_agg(concat('[', to_json(j.id), ',', to_json(j.name), ',', to_json(j.payload), ',', to_json(j.tenant), ',', j.priority, ',',
        chosen.attempt + 1, ',', j.max_attempts, ',', c.fence + chosen.turn, ',', j.cost, ',', j.enqueued_at, ',', chosen.ready_at, ',',
        coalesce(j.extra::text, 'null'), ']'), ',' ORDER BY chosen.turn) AS jobs, count(*) AS n, max(chosen.starts) AS last,
      array_agg(j.extra->>'d') FILTER (WHERE chosen.special AND j.extra->>'m' = 'debounce') AS keys
    FROM chosen JOIN mr.job j ON j.queue = c.queue AND j.seq = chosen.seq
  ), served AS (
    SELECT name, count(*) AS n, sum(bytes) AS bytes, sum(cost) AS cost, sum(greatest(cost, 1)) AS share, max(rank) AS low
    FROM chosen GROUP BY name
  )
  SELECT told.jobs, told.n, told.last, told.keys, (SELECT min(visible_until) FROM leased), s.names, s.takes, s.sizes, s.costs, s.shares, s.lows
    INTO jobs, n, last_start, keys, soonest, names, takes, sizes, costs, shares, lows
    FROM told CROSS JOIN (
      SELECT array_agg(served.name) AS names, array_agg(served.n) AS takes, array_agg(served.bytes::bigint) AS sizes,
        array_agg(served.cost::bigint) AS costs, array_agg(served.share::bigint) AS shares, array_agg(served.low) AS lows FROM served
    ) s;
  c.n := n;
  IF n = 0 THEN RETURN c; END IF;
  c.claimed := c.claimed + n;
  c.jobs := concat(c.jobs, CASE WHEN c.jobs <> '' THEN ',' END, jobs);
  -- Once it runs, the next call with its key is another job.
  IF keys IS NOT NULL THEN DELETE FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = ANY (keys); END IF;
  c.fence := c.fence + n;
  c.ready := c.ready - n;
  c.leased := c.leased + n;
  c.due := least(c.due, soonest);
  c.bytes := c.bytes - (SELECT sum(b) FROM unnest(sizes) b);
  IF c.limits ? 'rate' THEN c.tat := fn.after_starts(c.tat, c.now, c.limits->'rate', n); END IF;
  UPDATE mr.tenant t SET
      ready = t.ready - u.n, bytes = t.bytes - u.size, low_rank = u.low, since = c.now,
      vtime = greatest(t.vtime, clock) + u.share / coalesce((lim.it->>'weight')::float8, 1),
      tat = CASE WHEN lim.it ? 'rate' THEN fn.after_starts(t.tat, c.now, lim.it->'rate', u.n) ELSE t.tat END,
      spent = CASE WHEN lim.it ? 'budget' THEN
        fn.spent_in(t.spent, t.budget_window, c.now, (lim.it->'budget'->>'per')::bigint) + u.cost ELSE t.spent END,
      budget_window = CASE WHEN lim.it ? 'budget' THEN c.now / (lim.it->'budget'->>'per')::bigint ELSE t.budget_window END,
      leased = t.leased + u.n
    FROM unnest(names, takes, sizes, costs, shares, lows) AS u(name, n, size, cost, share, low)
    CROSS JOIN LATERAL (SELECT x.version, x.limits FROM mr.tenant x WHERE x.queue = c.queue AND x.name = u.name ORDER BY x.version DESC LIMIT 1) x
    CROSS JOIN LATERAL (SELECT c.defaults || coalesce(x.limits, '{}') AS it) lim
    WHERE t.queue = c.queue AND t.name = u.name AND t.version = x.version;
  c.vclock := greatest(c.vclock, last_start);
  RETURN fn.touch(c, names);
END $$;

CREATE FUNCTION fn.touch(c fn.call, names text[]) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  zeros bigint[] := array_fill(0::bigint, ARRAY[cardinality(names)]);
BEGIN
  RETURN fn.place(fn.count_tenants(c, names, zeros, zeros, zeros, zeros, array_fill(NULL::bigint, ARRAY[cardinality(names)])));
END $$;

-- Claims up to want jobs. more: there are others that could have been claimed now.
CREATE FUNCTION fn.claim(c fn.call, holder int, call_number int, want int) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  late text;
BEGIN
  LOOP
    c.more := EXISTS (SELECT 1 FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed) AND fn.room_of_queue(c) > 0;
    EXIT WHEN c.claimed >= want OR NOT c.more;
    late := CASE WHEN c.aging > 0 THEN fn.overdue(c) END;
    c := fn.claim_batch(c, holder, call_number, least(want - c.claimed, fn.room_of_queue(c))::int, late);
    IF c.n = 0 THEN
      -- They stand in the ring, and a change of limits or the cost of their next job keeps them from running.
      c := fn.touch(c, ARRAY(SELECT t.name FROM mr.tenant t WHERE t.queue = c.queue AND t.ringed AND (late IS NULL OR t.name = late)
        ORDER BY t.head_class DESC, t.vtime LIMIT want));
    END IF;
  END LOOP;
  RETURN c;
END $$;
`;
