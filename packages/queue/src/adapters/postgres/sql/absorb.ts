import { sql } from './sql.ts';

/**
 * Producers take no lock: beside their jobs they leave a row in `arrival` for the counters. The next call under the lock takes those rows in.
 * Which of them it has not seen is told by the snapshot of the last time: what was written by a later transaction, or by one that was under way then.
 * So a long transaction that keeps dead rows alive does not make the look longer. Every 10 s, and after a restore, all rows are looked at.
 */
export const absorbFunctions: string = sql`
CREATE FUNCTION fn.absorb(c fn.call) RETURNS fn.call
LANGUAGE plpgsql AS $$
DECLARE
  later xid8 := pg_snapshot_xmax(c.absorbed);
  underway xid8[] := ARRAY(SELECT x FROM pg_snapshot_xip(c.absorbed) x);
  everything boolean := c.absorbed IS NULL OR c.now >= c.absorbed_all + 10000 OR c.now < c.absorbed_all;
  names text[];
  readies bigint[];
  delays bigint[];
  sizes bigint[];
  ranks bigint[];
  soonest bigint;
  special jsonb[];
  here pg_snapshot;
  something boolean;
BEGIN
  IF everything THEN
    later := '0';
    underway := '{}';
    c.absorbed_all := c.now;
  ELSIF cardinality(underway) = 0 THEN
    SELECT pg_current_snapshot(), EXISTS (SELECT FROM mr.arrival a WHERE a.queue = c.queue AND a.xid >= later) INTO here, something;
    IF NOT something THEN
      c.absorbed := here;
      RETURN c;
    END IF;
  END IF;
  WITH old AS (
    DELETE FROM mr.arrival a WHERE a.queue = c.queue AND a.xid = ANY (underway) AND a.xid < later RETURNING a.*
  ), new AS (
    DELETE FROM mr.arrival a WHERE a.queue = c.queue AND a.xid >= later RETURNING a.*
  ), sums AS (
    SELECT g.tenant, sum(g.ready)::bigint AS ready, sum(g.delayed)::bigint AS delayed, sum(g.bytes)::bigint AS bytes,
      min(g.min_rank) AS low, min(g.min_ready_at) AS soonest, array_agg(g.jobs ORDER BY g.xid) FILTER (WHERE g.jobs IS NOT NULL) AS jobs
    FROM (SELECT * FROM old UNION ALL SELECT * FROM new) g GROUP BY g.tenant
  )
  SELECT pg_current_snapshot(), array_agg(s.tenant), array_agg(s.ready), array_agg(s.delayed), array_agg(s.bytes), array_agg(s.low),
      min(s.soonest), (array_agg(to_jsonb(s.jobs)) FILTER (WHERE s.jobs IS NOT NULL))
    INTO here, names, readies, delays, sizes, ranks, soonest, special FROM sums s;
  c.absorbed := here;
  IF names IS NULL THEN RETURN c; END IF;
  SELECT c.ready + sum(r), c.delayed + sum(d), c.bytes + sum(b) INTO c.ready, c.delayed, c.bytes FROM unnest(readies, delays, sizes) u(r, d, b);
  c.due := least(c.due, soonest);
  c := fn.count_tenants(c, names, readies, delays, array_fill(0::bigint, ARRAY[cardinality(names)]), sizes, ranks);
  IF special IS NOT NULL THEN
    FOR i IN 1..cardinality(special) LOOP
      c := fn.enqueue_written(c, special[i]);
    END LOOP;
  END IF;
  RETURN c;
END $$;
`;
