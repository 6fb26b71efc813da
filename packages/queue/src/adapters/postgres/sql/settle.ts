import { sql } from './sql.ts';

/** How leases end. Only under the lock of the queue. */
export const settleFunctions: string = sql`
-- Acknowledges what needs no more than to be deleted, all at once. The fences rise. Answers those that were, and how many of which tenants.
-- The bodies are read in one walk along their key, and compared in the order of it.
CREATE FUNCTION fn.ack_plain(q int, holder int, ids text[], fences bigint[], OUT acked bigint[], OUT names text[], OUT counts bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  leases tid[];
  bodies tid[];
  tenants text[];
  seqs bigint[];
  found_seqs bigint[];
  found_ids text[];
  expected text[] := ids;
  deleted int;
BEGIN
  SELECT array_agg(l.fence), array_agg(l.seq), array_agg(l.at), array_agg(l.tenant) INTO acked, seqs, leases, tenants
    FROM (
      SELECT x.fence, x.seq, x.tenant, x.ctid AS at FROM mr.lease x
        WHERE x.queue = q AND x.session = holder AND x.fence = ANY (fences) AND NOT x.special AND NOT x.cancel ORDER BY x.fence
    ) l;
  SELECT array_agg(j.seq), array_agg(j.id), array_agg(j.at) INTO found_seqs, found_ids, bodies
    FROM (SELECT x.seq, x.id, x.ctid AS at FROM mr.job x WHERE x.queue = q AND x.seq = ANY (seqs) ORDER BY x.seq) j;
  IF acked = fences AND found_seqs <> seqs THEN
    expected := ARRAY(SELECT u.id FROM unnest(ids, seqs) u(id, seq) ORDER BY u.seq);
  END IF;
  IF (acked = fences AND found_ids = expected) IS NOT TRUE THEN
    -- Some are missing, or not of these fences.
    SELECT array_agg(f.fence), array_agg(f.lease), array_agg(j.at), array_agg(f.tenant) INTO acked, leases, bodies, tenants
      FROM unnest(acked, seqs, leases, tenants) f(fence, seq, lease, tenant)
      CROSS JOIN LATERAL (SELECT x.id, x.ctid AS at FROM mr.job x WHERE x.queue = q AND x.seq = f.seq LIMIT 1) j
      WHERE j.id = ids[array_position(fences, f.fence)];
  END IF;
  IF acked IS NULL THEN RETURN; END IF;
  DELETE FROM mr.lease l WHERE l.ctid = ANY (leases);
  GET DIAGNOSTICS deleted = ROW_COUNT;
  -- A transaction of the worker may have touched one meanwhile.
  IF deleted < cardinality(leases) THEN
    DELETE FROM mr.lease l WHERE l.queue = q AND l.session = holder AND l.fence = ANY (acked);
  END IF;
  DELETE FROM mr.job j WHERE j.ctid = ANY (bodies);
  IF cardinality(array_remove(tenants, tenants[1])) = 0 THEN
    names := tenants[1:1];
    counts := ARRAY[-cardinality(tenants)::bigint];
  ELSE
    SELECT array_agg(t.tenant), array_agg(t.n) INTO names, counts FROM (SELECT u AS tenant, -count(*) AS n FROM unnest(tenants) u GROUP BY u) t;
  END IF;
END $$;

-- Applies one settlement, if the session holds the job under this very fence.
CREATE FUNCTION fn.settle(c fn.call, holder int, job_id text, lease_fence bigint, kind text, cost bigint, delay bigint, failure jsonb, result text)
RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot := fn.find_leased(c, holder, lease_fence);
BEGIN
  c.outcome := s.id = job_id;
  IF c.outcome IS NOT TRUE THEN
    c.outcome := false;
    RETURN c;
  END IF;
  IF s.completed THEN RETURN fn.finish_completed(c, s); END IF;
  c := fn.leave(c, s);
  PERFORM fn.spend(c, s.tenant, coalesce(cost, CASE WHEN kind IN ('release', 'snooze') THEN 0 ELSE s.cost END) - s.cost);
  IF kind = 'ack' THEN RETURN fn.finish(c, s, 'succeeded', result); END IF;
  IF kind = 'cancelled' THEN RETURN fn.finish(c, s, 'cancelled', NULL); END IF;
  IF failure IS NOT NULL THEN
    PERFORM fn.add_failure(c, s.seq, failure);
    s.special := true;
  END IF;
  IF kind = 'dead' THEN RETURN fn.finish(c, s, 'dead', NULL); END IF;
  IF kind = 'release' THEN RETURN fn.give_back(c, s); END IF;
  IF kind = 'snooze' THEN s.attempt := s.attempt - 1; END IF;
  RETURN fn.come_back(c, s, c.now + delay);
END $$;

-- Its worker has acknowledged it in a transaction of its own.
CREATE FUNCTION fn.finish_completed(c fn.call, s fn.spot) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  RETURN fn.finish(fn.leave(c, s), s, 'succeeded', s.result);
END $$;

-- Waiting again, unless somebody asked to cancel it meanwhile. It has left its place.
CREATE FUNCTION fn.come_back(c fn.call, s fn.spot, at bigint, old_place boolean DEFAULT false) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF s.cancel THEN RETURN fn.finish(c, s, 'cancelled', NULL); END IF;
  RETURN fn.enter(c, s, at, old_place);
END $$;

-- Ready in its old place, as if it had not been claimed. It has left its place.
CREATE FUNCTION fn.give_back(c fn.call, s fn.spot) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn.uncharge(c, s.tenant, s.cost);
  s.attempt := s.attempt - 1;
  RETURN fn.come_back(c, s, s.ready_at, true);
END $$;

-- Gives a lease back that was never used: no attempt counts, no cost.
CREATE FUNCTION fn.return_unused(c fn.call, s fn.spot) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF s.completed THEN RETURN fn.finish_completed(c, s); END IF;
  c := fn.leave(c, s);
  PERFORM fn.spend(c, s.tenant, -s.cost);
  RETURN fn.give_back(c, s);
END $$;

-- A lease ended without settlement: the attempt counts, the job is ready at once, or dead.
CREATE FUNCTION fn.expire(c fn.call, s fn.spot) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  c := fn.leave(c, s);
  PERFORM fn.add_failure(c, s.seq, jsonb_build_object('attempt', s.attempt, 'at', c.now,
    'message', 'The lease ended without a settlement: the worker died, was cut off, or did not extend it.',
    'code', 'ERR_LEASE_LOST', 'fingerprint', 'ERR_LEASE_LOST'));
  s.special := true;
  IF s.attempt >= s.max_attempts AND NOT s.cancel THEN RETURN fn.finish(c, s, 'dead', NULL); END IF;
  RETURN fn.come_back(c, s, c.now);
END $$;
`;
