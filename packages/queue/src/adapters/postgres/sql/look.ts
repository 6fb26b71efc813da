import { sql } from './sql.ts';

/** For people: reads without the lock, of what is committed; counters include what no call has taken in yet. */
export const lookFunctions: string = sql`
CREATE FUNCTION fn.counts(q int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('ready', s.ready + a.ready, 'delayed', s.delayed + a.delayed, 'leased', s.leased,
    'succeeded', s.kept[1], 'dead', s.kept[2], 'cancelled', s.kept[3], 'waitingBytes', s.bytes + a.bytes,
    'sessions', (SELECT count(*) FROM mr.session x WHERE x.queue = q AND NOT x.ended AND x.expires_at > fn.now_ms()),
    'paused', w.paused,
    'oldestReadyAge', CASE WHEN s.ready + a.ready = 0 THEN 0 ELSE greatest(0, fn.now_ms() - coalesce(fn.oldest_ready_at(q), fn.now_ms())) END)
  FROM mr.queue w
  CROSS JOIN LATERAL (SELECT * FROM mr.state x WHERE x.queue = q ORDER BY x.version DESC LIMIT 1) s
  CROSS JOIN LATERAL (SELECT coalesce(sum(x.ready), 0)::bigint AS ready, coalesce(sum(x.delayed), 0)::bigint AS delayed,
    coalesce(sum(x.bytes), 0)::bigint AS bytes FROM mr.arrival x WHERE x.queue = q) a
  WHERE w.number = q
$$;

-- Of the 1,000 jobs that were enqueued first, and of the heads of up to 500 tenants, the one that became ready first.
CREATE FUNCTION fn.oldest_ready_at(q int) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT least(
    (SELECT min(r.ready_at) FROM (SELECT j.tenant, coalesce(j.turn, j.seq) AS turn, j.ready_at, j.priority FROM mr.job j WHERE j.queue = q ORDER BY j.seq LIMIT 1000) j
      JOIN mr.queue w ON w.number = q
      JOIN mr.ready r ON r.queue = q AND r.tenant = j.tenant AND r.turn = j.turn
        AND r.rank = fn.rank_of(j.ready_at, j.priority)),
    (SELECT min(h.ready_at) FROM (SELECT DISTINCT t.name FROM mr.tenant t WHERE t.queue = q AND t.ready > 0 LIMIT 500) t
      CROSS JOIN LATERAL (SELECT r.ready_at FROM mr.ready r WHERE r.queue = q AND r.tenant = t.name ORDER BY r.rank, r.turn LIMIT 1) h))
$$;

CREATE FUNCTION fn.tenant_view(c fn.call, t mr.tenant) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('tenant', t.name, 'limits', coalesce(t.limits, '{}'), 'paused', t.paused,
    'ready', t.ready + a.ready, 'delayed', t.delayed + a.delayed, 'leased', t.leased, 'waitingBytes', t.bytes + a.bytes,
    'spent', CASE WHEN l.it ? 'budget' THEN fn.spent_in(t.spent, t.budget_window, fn.now_ms(), (l.it->'budget'->>'per')::bigint) ELSE 0 END,
    'parkedFor', greatest(0, t.parked_until - fn.now_ms())))
  FROM (SELECT c.defaults || coalesce(t.limits, '{}') AS it) l
  CROSS JOIN (SELECT coalesce(sum(x.ready), 0)::bigint AS ready, coalesce(sum(x.delayed), 0)::bigint AS delayed,
    coalesce(sum(x.bytes), 0)::bigint AS bytes FROM mr.arrival x WHERE x.queue = t.queue AND x.tenant = t.name) a
$$;

CREATE FUNCTION fn.tenants(c fn.call, after text, most int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(fn.tenant_view(c, x.t) ORDER BY (x.t).name), '[]') FROM (
    SELECT fn.tenant_of(c.queue, n.name) AS t FROM (
      SELECT DISTINCT y.name FROM mr.tenant y WHERE y.queue = c.queue AND (after IS NULL OR y.name > after) ORDER BY y.name LIMIT most
    ) n
  ) x
$$;

-- All jobs as people see them.
CREATE VIEW fn.jobs AS
  SELECT j.queue, j.seq, j.id, j.name, j.tenant, CASE WHEN l.seq IS NOT NULL THEN 'leased' WHEN d.seq IS NOT NULL THEN 'delayed' ELSE 'ready' END AS state,
    j.priority, coalesce(l.attempt, d.attempt, (SELECT r.attempt FROM mr.ready r JOIN mr.queue w ON w.number = r.queue
      WHERE r.queue = j.queue AND r.tenant = j.tenant AND r.turn = coalesce(j.turn, j.seq)
        AND r.rank = fn.rank_of(j.ready_at, j.priority)), 0) AS attempt,
    j.max_attempts, j.cost, j.bytes, j.enqueued_at, j.ready_at, NULL::bigint AS finished_at, j.extra,
    coalesce(n.failures, '[]') AS failures, coalesce(n.logs, '[]') AS logs, n.progress, NULL::text AS result, j.payload,
    (SELECT s.id FROM mr.session s WHERE s.queue = j.queue AND s.number = l.session) AS session, l.fence, l.claimed_at,
    coalesce(l.cancel, false) AS cancel
  FROM mr.job j
  LEFT JOIN mr.lease l ON l.queue = j.queue AND l.seq = j.seq
  LEFT JOIN mr.delayed d ON d.queue = j.queue AND d.seq = j.seq
  LEFT JOIN mr.note n ON n.queue = j.queue AND n.seq = j.seq
  UNION ALL
  SELECT d.queue, d.seq, d.id, d.name, d.tenant, (ARRAY['succeeded', 'dead', 'cancelled'])[d.state], d.priority, d.attempt, d.max_attempts,
    d.cost, d.bytes, d.enqueued_at, d.ready_at, d.finished_at, d.extra, d.failures, d.logs, d.progress, d.result, d.payload,
    NULL, NULL, NULL, false
  FROM mr.done d CROSS JOIN LATERAL (SELECT s.* FROM mr.state s WHERE s.queue = d.queue ORDER BY s.version DESC LIMIT 1) s
  WHERE CASE WHEN d.keep_until IS NULL THEN d.n > s.forgotten[d.state] ELSE (d.keep_until, d.n) > (s.result_until, s.result_n) END;

CREATE FUNCTION fn.job_view(j fn.jobs) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('seq', j.seq, 'id', j.id, 'name', j.name, 'tenant', j.tenant, 'state', j.state, 'priority', j.priority,
    'attempt', j.attempt, 'maxAttempts', j.max_attempts, 'cost', j.cost, 'payload', j.payload, 'bytes', j.bytes, 'enqueuedAt', j.enqueued_at,
    'readyAt', j.ready_at, 'finishedAt', j.finished_at, 'cancelRequested', j.cancel, 'result', j.result, 'progress', j.progress,
    'lease', CASE WHEN j.fence IS NOT NULL THEN jsonb_build_object('session', j.session, 'fence', j.fence, 'claimedAt', j.claimed_at) END,
    'logs', j.logs, 'failures', j.failures, 'parentId', j.extra->'p', 'pendingChildren', coalesce(j.extra->'n', '0'),
    'dedupeKey', j.extra->'d', 'traceparent', j.extra->'t'))
$$;

CREATE FUNCTION fn.list(q int, filter jsonb, after bigint, most int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(fn.job_view(x.j) ORDER BY (x.j).seq), '[]') FROM (
    SELECT j FROM fn.jobs j WHERE j.queue = q AND j.seq > after AND (filter->>'state' IS NULL OR j.state = filter->>'state')
      AND (filter->>'name' IS NULL OR j.name = filter->>'name') AND (filter->>'tenant' IS NULL OR j.tenant = filter->>'tenant')
      AND (filter->>'enqueuedBefore' IS NULL OR j.enqueued_at < (filter->>'enqueuedBefore')::numeric)
      AND (filter->>'fingerprint' IS NULL OR j.failures->-1->>'fingerprint' = filter->>'fingerprint')
    ORDER BY j.seq LIMIT most
  ) x
$$;

CREATE FUNCTION fn.count(q int, filter jsonb) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT count(*) FROM fn.jobs j WHERE j.queue = q AND (filter->>'state' IS NULL OR j.state = filter->>'state')
    AND (filter->>'name' IS NULL OR j.name = filter->>'name') AND (filter->>'tenant' IS NULL OR j.tenant = filter->>'tenant')
    AND (filter->>'enqueuedBefore' IS NULL OR j.enqueued_at < (filter->>'enqueuedBefore')::numeric)
    AND (filter->>'fingerprint' IS NULL OR j.failures->-1->>'fingerprint' = filter->>'fingerprint')
$$;

CREATE FUNCTION fn.priorities(q int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('priority', x.priority, 'ready', x.n) ORDER BY x.priority DESC), '[]')
    FROM (SELECT r.priority, count(*) AS n FROM mr.ready r WHERE r.queue = q GROUP BY r.priority) x
$$;

CREATE FUNCTION fn.error_groups(q int, most int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(x.g ORDER BY x.n DESC), '[]') FROM (
    SELECT count(*) AS n, jsonb_build_object('fingerprint', j.failures->-1->>'fingerprint', 'count', count(*),
        'message', (array_agg(j.failures->-1->>'message' ORDER BY (j.failures->-1->>'at')::numeric DESC, j.seq DESC))[1],
        'code', (array_agg(j.failures->-1->>'code' ORDER BY (j.failures->-1->>'at')::numeric DESC, j.seq DESC))[1],
        'newestAt', max((j.failures->-1->>'at')::numeric),
        'sampleId', (array_agg(j.id ORDER BY (j.failures->-1->>'at')::numeric DESC, j.seq DESC))[1]) AS g
    FROM fn.jobs j WHERE j.queue = q AND j.state = 'dead' AND jsonb_array_length(j.failures) > 0
    GROUP BY j.failures->-1->>'fingerprint' ORDER BY n DESC LIMIT most
  ) x
$$;

CREATE FUNCTION fn.ahead_of(c fn.call, s fn.spot) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT count(*) FROM (SELECT 1 FROM mr.ready r WHERE r.queue = c.queue AND r.tenant = s.tenant
    AND (r.rank, r.turn) < (fn.rank_of(s.ready_at, s.priority), s.turn) LIMIT 1000) x
$$;

CREATE FUNCTION fn.explain(c fn.call, job_id text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot := fn.find(c, job_id);
  t mr.tenant;
  reason text;
  until bigint;
BEGIN
  IF s.id IS NULL THEN
    RETURN jsonb_build_object('reason', CASE WHEN (fn.find_done(c, job_id)).id IS NULL THEN 'unknown-job' ELSE 'finished' END);
  END IF;
  IF s.state = 'leased' THEN RETURN jsonb_build_object('reason', 'running'); END IF;
  IF s.state = 'delayed' THEN
    IF s.ready_at IS NOT NULL THEN RETURN jsonb_build_object('reason', 'delayed', 'until', s.ready_at); END IF;
    RETURN jsonb_build_object('reason', CASE WHEN (s.extra->>'n')::int > 0 THEN 'waits-for-children' ELSE 'waits-for-previous' END);
  END IF;
  t := fn.tenant_of(c.queue, s.tenant);
  IF c.paused THEN reason := 'queue-paused';
  ELSIF c.leased >= (c.limits->>'maxLeased')::bigint THEN reason := 'queue-concurrency';
  ELSIF c.limits ? 'rate' AND fn.next_allowed(c.tat, c.limits->'rate') > c.now THEN
    reason := 'queue-rate';
    until := ceil(fn.next_allowed(c.tat, c.limits->'rate'));
  ELSE
    SELECT h.reason, h.until INTO reason, until FROM fn.hold(c.defaults || coalesce(t.limits, '{}'), t, s.cost, c.now) h;
  END IF;
  IF reason IS NULL THEN
    reason := CASE WHEN EXISTS (SELECT 1 FROM mr.session x WHERE x.queue = c.queue AND NOT x.ended AND x.expires_at > c.now)
      THEN 'next-in-line' ELSE 'no-worker' END;
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object('reason', reason, 'until', until, 'ahead', fn.ahead_of(c, s)));
END $$;
`;
