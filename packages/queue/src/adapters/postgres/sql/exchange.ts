import { sql } from './sql.ts';

/**
 * The worker's one call: settle, keep the session, sweep, promote, claim. Answers JSON, from which what is usual is left out; then, behind a
 * character that JSON has only escaped, the payloads of the claimed jobs as they are: quoting them would cost more than to find them.
 */
export const exchangeFunctions: string = sql`
CREATE FUNCTION fn.greatest_of(numbers int[]) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN (SELECT max(n) FROM unnest(numbers) n); END $$;

-- Renews the session, or makes it. NULL when it is lost. What is written lasts a little longer than asked, so that busy workers write it seldom.
CREATE FUNCTION fn.open_session(c fn.call, session_id text, begins boolean, lease bigint, lost int) RETURNS mr.session LANGUAGE plpgsql AS $$
DECLARE
  s mr.session;
BEGIN
  SELECT * INTO s FROM mr.session x WHERE x.queue = c.queue AND x.id = session_id;
  IF NOT FOUND THEN
    IF NOT begins THEN RETURN NULL; END IF;
    INSERT INTO mr.session (queue, id, expires_at, barrier) VALUES (c.queue, session_id, c.now + lease + lease / 16, lost)
      RETURNING * INTO s;
    RETURN s;
  END IF;
  IF s.ended OR s.expires_at <= c.now THEN RETURN NULL; END IF;
  IF s.expires_at < c.now + lease OR s.barrier < lost THEN
    UPDATE mr.session x SET expires_at = c.now + lease + lease / 16, barrier = greatest(s.barrier, lost)
      WHERE x.queue = c.queue AND x.id = session_id RETURNING * INTO s;
  END IF;
  RETURN s;
END $$;

-- Renews from a thread of the worker, without the lock of the queue.
CREATE FUNCTION fn.renew(q int, session_id text, lease bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  at bigint := fn.now_ms();
BEGIN
  UPDATE mr.session s SET expires_at = greatest(s.expires_at, at + lease)
    WHERE s.queue = q AND s.id = session_id AND NOT s.ended AND s.expires_at > at;
  RETURN FOUND;
END $$;

-- Acks that need no more than a deletion all at once; then the other acks and settlements, as [place, id, fence, kind, cost, delay, failure,
-- result], in the order of their places. answer: the places of those that were stale.
CREATE FUNCTION fn.settle_all(c fn.call, s mr.session, ids text[], fences bigint[], places int[], results jsonb, settlements jsonb)
RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  stale jsonb := '[]';
  acked bigint[];
  names text[];
  counts bigint[];
  zeros bigint[];
  e record;
BEGIN
  c.answer := stale;
  IF cardinality(ids) > 0 AND (c.retention->'succeeded'->>'count')::bigint = 0 THEN
    SELECT a.acked, a.names, a.counts INTO acked, names, counts FROM fn.ack_plain(c.queue, s.number, ids, fences) a;
    IF acked IS NOT NULL THEN
      c.leased := c.leased - cardinality(acked);
      zeros := array_fill(0::bigint, ARRAY[cardinality(names)]);
      c := fn.count_tenants(c, names, zeros, zeros, counts, zeros, array_fill(NULL::bigint, ARRAY[cardinality(names)]));
    END IF;
  END IF;
  IF settlements IS NULL AND cardinality(ids) = coalesce(cardinality(acked), 0) THEN RETURN c; END IF;
  FOR e IN
    SELECT g.place, g.id, g.fence, 'ack' AS kind, NULL::bigint AS cost, NULL::bigint AS delay, NULL::jsonb AS failure, results->>(g.n::int - 1) AS result
      FROM unnest(ids, fences, places) WITH ORDINALITY AS g(id, fence, place, n) WHERE (g.fence = ANY (acked)) IS NOT TRUE
    UNION ALL
    SELECT (x->>0)::int, x->>1, (x->>2)::bigint, x->>3, (x->>4)::bigint, (x->>5)::bigint, nullif(x->6, 'null'), x->>7
      FROM jsonb_array_elements(settlements) x
    ORDER BY 1
  LOOP
    c := fn.settle(c, s.number, e.id, e.fence, e.kind, e.cost, e.delay, e.failure, e.result);
    IF NOT c.outcome THEN stale := stale || to_jsonb(e.place); END IF;
  END LOOP;
  c.answer := stale;
  RETURN c;
END $$;

-- New ends of the jobs' own leases, as [id, fence, visibility]. Answers which were stale.
CREATE FUNCTION fn.extend_all(c fn.call, s mr.session, extensions jsonb) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  stale jsonb := '[]';
  e jsonb;
  i int := 0;
BEGIN
  FOR e IN SELECT * FROM jsonb_array_elements(extensions) LOOP
    UPDATE mr.lease l SET visible_until = c.now + (e->>2)::bigint FROM mr.job j
      WHERE l.queue = c.queue AND l.session = s.number AND l.fence = (e->>1)::bigint AND j.queue = c.queue AND j.seq = l.seq AND j.id = e->>0;
    IF FOUND THEN c.due := least(c.due, c.now + (e->>2)::bigint); ELSE stale := stale || to_jsonb(i); END IF;
    i := i + 1;
  END LOOP;
  c.answer := stale;
  RETURN c;
END $$;

-- Progress and logs, as [id, fence, value, logs]. Answers which were stale.
CREATE FUNCTION fn.note_all(c fn.call, s mr.session, notes jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  stale jsonb := '[]';
  e jsonb;
  i int := 0;
  job_seq bigint;
  more_logs jsonb;
BEGIN
  FOR e IN SELECT * FROM jsonb_array_elements(notes) LOOP
    UPDATE mr.lease l SET special = true FROM mr.job j
      WHERE l.queue = c.queue AND l.session = s.number AND l.fence = (e->>1)::bigint AND j.queue = c.queue AND j.seq = l.seq AND j.id = e->>0
      RETURNING l.seq INTO job_seq;
    IF FOUND THEN
      more_logs := coalesce(nullif(e->3, 'null'), '[]');
      INSERT INTO mr.note AS n (queue, seq, progress, logs) VALUES (c.queue, job_seq, e->>2, fn.last_logs(more_logs))
        ON CONFLICT (queue, seq) DO UPDATE SET progress = coalesce(e->>2, n.progress), logs = fn.last_logs(n.logs || more_logs);
    ELSE
      stale := stale || to_jsonb(i);
    END IF;
    i := i + 1;
  END LOOP;
  RETURN stale;
END $$;

CREATE FUNCTION fn.last_logs(logs jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_agg(x.e ORDER BY x.i), '[]') FROM jsonb_array_elements(logs) WITH ORDINALITY x(e, i)
    WHERE x.i > jsonb_array_length(logs) - 100
$$;

-- Gives back what calls claimed whose answers never arrived.
CREATE FUNCTION fn.return_lost(c fn.call, s mr.session, lost int[]) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  lease_fence bigint;
BEGIN
  FOR lease_fence IN SELECT l.fence FROM mr.lease l WHERE l.queue = c.queue AND l.session = s.number AND l.call = ANY (lost) LOOP
    c := fn.return_unused(c, fn.find_leased(c, s.number, lease_fence));
  END LOOP;
  RETURN c;
END $$;

CREATE FUNCTION fn.cancel_requests(c fn.call, s mr.session) RETURNS json LANGUAGE sql AS $$
  SELECT coalesce(json_agg(json_build_array(j.id, l.fence)), '[]') FROM mr.lease l JOIN mr.job j ON j.queue = l.queue AND j.seq = l.seq
    WHERE l.queue = c.queue AND l.session = s.number AND l.cancel
$$;

CREATE FUNCTION fn.due_schedules(c fn.call) RETURNS json LANGUAGE sql AS $$
  SELECT coalesce(json_agg(x.key), '[]')
    FROM (SELECT s.key FROM mr.schedule s WHERE s.queue = c.queue AND s.next_at <= c.now ORDER BY s.next_at LIMIT 20) x
$$;

-- Whether the session waits for jobs: producers tell only those who do.
CREATE FUNCTION fn.note_hunger(c fn.call, s mr.session, now_hungry boolean) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF s.hungry = now_hungry THEN RETURN c; END IF;
  UPDATE mr.session x SET hungry = now_hungry WHERE x.queue = c.queue AND x.id = s.id;
  c.hungry := greatest(0, c.hungry + CASE WHEN now_hungry THEN 1 ELSE -1 END);
  RETURN c;
END $$;

CREATE FUNCTION fn.exchange(
  q int, session_id text, begins boolean, lease bigint, call_number int, lost int[], want int, housekeeping int, ends boolean,
  ack_ids text[], ack_fences bigint[], ack_places int[], results jsonb, settlements jsonb, extensions jsonb, notes jsonb
) RETURNS text LANGUAGE plpgsql hot_settings AS $$
DECLARE
  c fn.call := fn.begin(q);
  s mr.session;
  answer jsonb;
  schedules json := '[]';
  cancels json := '[]';
BEGIN
  s := fn.open_session(c, session_id, begins, lease, CASE WHEN lost = '{}' THEN 0 ELSE fn.greatest_of(lost) END);
  c := fn.absorb(c);
  IF s.id IS NULL THEN
    c := fn.place(fn.sweep(c, housekeeping));
    PERFORM fn.commit(c);
    RETURN (jsonb_build_object('lost', true) || fn.told(c))::text;
  END IF;
  c := fn.settle_all(c, s, ack_ids, ack_fences, ack_places, results, settlements);
  answer := CASE WHEN c.answer = '[]' THEN '{}' ELSE jsonb_build_object('stale', c.answer) END;
  IF extensions IS NOT NULL THEN
    c := fn.extend_all(c, s, extensions);
    answer := answer || jsonb_build_object('staleExtensions', c.answer);
  END IF;
  IF notes IS NOT NULL THEN answer := answer || jsonb_build_object('staleNotes', fn.note_all(c, s, notes)); END IF;
  IF cardinality(lost) > 0 THEN c := fn.return_lost(c, s, lost); END IF;
  IF ends THEN
    UPDATE mr.session x SET ended = true, polite = true, expires_at = 0 WHERE x.queue = q AND x.id = session_id;
    c.due := c.now;
  END IF;
  IF c.due <= c.now THEN schedules := fn.due_schedules(c); END IF;
  c := fn.place(fn.sweep(c, housekeeping));
  IF NOT ends THEN c.due := least(c.due, s.expires_at); END IF;
  IF want > 0 AND NOT ends AND call_number > s.barrier THEN
    c := fn.claim(fn.prepare_fences(c, want), s.number, call_number, want);
    c := fn.note_hunger(c, s, cardinality(c.taken) < want);
  END IF;
  IF c.cancels > 0 THEN cancels := fn.cancel_requests(c, s); END IF;
  IF c.version % 64 = 0 THEN PERFORM fn.drop_idle(c); END IF;
  PERFORM fn.commit(c);
  RETURN concat('[', answer || fn.told(c), ',', cancels, ',', schedules, ',') || fn.tell_jobs(c.queue, c.fence, c.taken, c.tries);
END $$;

-- What is usual is left out.
CREATE FUNCTION fn.told(c fn.call) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('now', c.now, 'epoch', c.epoch, 'ready', nullif(c.told_ready, false), 'finished', nullif(c.told_finished, false),
    'more', nullif(c.more, false), 'due', nullif(fn.due_at(c), 9007199254740991),
    'promoted', nullif(c.promoted, 0), 'forgotten', nullif(c.dropped, 0), 'expired', nullif(c.expired, '[]')))
$$;

-- When something known today may make a job claimable.
CREATE FUNCTION fn.due_at(c fn.call) RETURNS bigint LANGUAGE sql AS $$
  SELECT least(c.due, CASE WHEN NOT c.paused AND c.limits ? 'rate' AND fn.next_allowed(c.tat, c.limits->'rate') > c.now
    THEN ceil(fn.next_allowed(c.tat, c.limits->'rate'))::bigint END)
$$;
`;
