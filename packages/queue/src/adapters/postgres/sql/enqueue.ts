import { sql } from './sql.ts';

/**
 * Jobs without a key, children or a parent are only inserted, without a lock: also inside a transaction of the caller, which then blocks nobody.
 * The others, and all while a high-water mark is set, take the lock of the queue.
 *
 * A request is a list of shapes (what jobs have in common), and per job the id, the payload, the bytes, and the number of its shape. Ids and payloads
 * stand one behind the other with a separator that is in none of them, which costs both sides half of what JSON in JSON does; or they are JSON.
 * shape: { n name, t tenant, p priority, d delay, a max attempts, c cost, x extra, m dedupe (as in the contract) }
 */
export const enqueueFunctions: string = sql`-- More than deleting it is to be done at its end.
CREATE FUNCTION fn.is_special(extra jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT extra IS NOT NULL AND extra ?| ARRAY['k', 'd', 'p', 'c', 'v'] $$;

-- Answers null when all were accepted, else per job null, [id, replaced] or [scope, limit].
-- special: some job has a key, children or a parent. inside: in a transaction of the caller, where the lock of the queue must not be taken.
CREATE FUNCTION fn.enqueue(q int, shapes text, separator text, ids text, payloads text, sizes text, forms text, special boolean, atomic boolean, inside boolean,
  OUT answers text, OUT hungry boolean)
LANGUAGE plpgsql hot_settings AS $$
DECLARE
  w mr.queue;
  known boolean;
  given_ids text[] := fn.list_of(ids, separator);
  given_payloads text[] := fn.list_of(payloads, separator);
  given_sizes int[] := sizes::int[];
  given_forms int[] := forms::int[];
BEGIN
  SELECT * INTO w FROM mr.queue x WHERE x.number = q;
  IF NOT FOUND THEN RAISE EXCEPTION 'MILLRACE_UNOPENED'; END IF;
  IF NOT inside AND (special OR w.marked) THEN
    SELECT e.answers, e.hungry INTO answers, hungry
      FROM fn.enqueue_locked(q, shapes::jsonb, to_jsonb(given_ids), to_jsonb(given_payloads), given_sizes, given_forms, atomic, NULL) e;
    RETURN;
  END IF;
  IF inside AND (special OR w.marked) THEN
    answers := fn.enqueue_inside(q, w, shapes::jsonb, to_jsonb(given_ids), to_jsonb(given_payloads), given_sizes, given_forms);
  ELSE
    SELECT s.kept <> '{0,0,0}' INTO known FROM mr.state s WHERE s.queue = q ORDER BY s.version DESC LIMIT 1;
    IF known THEN
      SELECT f.ids, f.payloads, f.sizes, f.forms INTO given_ids, given_payloads, given_sizes, given_forms
        FROM fn.without_finished(q, given_ids, given_payloads, given_sizes, given_forms) f;
    END IF;
    PERFORM fn.store_jobs(q, fn.now_ms(), shapes::jsonb, given_ids, given_payloads, given_sizes, given_forms, inside);
  END IF;
  SELECT s.hungry > 0 OR s.leased = 0 INTO hungry FROM mr.state s WHERE s.queue = q ORDER BY s.version DESC LIMIT 1;
  IF inside AND hungry THEN PERFORM fn.tell(q, 'ready'); END IF;
END $$;

-- Leaves out jobs that are finished and kept: they are known.
CREATE FUNCTION fn.without_finished(q int, INOUT ids text[], INOUT payloads text[], INOUT sizes int[], INOUT forms int[])
LANGUAGE plpgsql AS $$
DECLARE
  c fn.call;
  finished text[];
BEGIN
  SELECT s.forgotten, s.result_until, s.result_n INTO c.forgotten, c.result_until, c.result_n
    FROM mr.state s WHERE s.queue = q ORDER BY s.version DESC LIMIT 1;
  finished := ARRAY(SELECT d.id FROM mr.done d WHERE d.queue = q AND d.id = ANY (ids) AND fn.visible(c, d));
  IF cardinality(finished) = 0 THEN RETURN; END IF;
  SELECT array_agg(g.id), array_agg(g.payload), array_agg(g.bytes), array_agg(g.form) INTO ids, payloads, sizes, forms
    FROM (
      SELECT * FROM unnest(ids, payloads, sizes, forms) WITH ORDINALITY AS x(id, payload, bytes, form, place)
      WHERE NOT x.id = ANY (finished) ORDER BY x.place
    ) g;
END $$;

-- In a transaction of the caller: marks are compared with the counters as they were, and jobs with a key wait for the next call under the lock.
CREATE FUNCTION fn.enqueue_inside(q int, w mr.queue, shapes jsonb, ids jsonb, payloads jsonb, sizes int[], forms int[])
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  refused jsonb;
BEGIN
  IF w.marked THEN
    refused := fn.refuse_sums(q, w, shapes, sizes, forms);
    IF refused IS NOT NULL THEN
      RETURN (SELECT jsonb_agg(refused) FROM unnest(sizes))::text;
    END IF;
  END IF;
  INSERT INTO mr.arrival (queue, tenant, ready, delayed, bytes, jobs)
    VALUES (q, coalesce(shapes->0->>'t', ''), 0, 0, 0, jsonb_build_array(shapes, ids, payloads, to_jsonb(sizes), to_jsonb(forms)));
  RETURN NULL;
END $$;

-- Why a tenant or the queue cannot take the sums of these jobs, by the counters as they were last written.
CREATE FUNCTION fn.refuse_sums(q int, w mr.queue, shapes jsonb, sizes int[], forms int[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  s mr.state;
  sums record;
  t mr.tenant;
  waiting record;
  refused jsonb;
BEGIN
  SELECT * INTO s FROM mr.state x WHERE x.queue = q ORDER BY x.version DESC LIMIT 1;
  FOR sums IN
    SELECT shapes->(g.form - 1)->>'t' AS tenant, count(*) AS n, sum(g.bytes)::bigint AS bytes FROM unnest(sizes, forms) AS g(bytes, form) GROUP BY 1
  LOOP
    t := fn.tenant_of(q, sums.tenant);
    SELECT coalesce(sum(a.ready + a.delayed), 0) AS n, coalesce(sum(a.bytes), 0) AS bytes INTO waiting
      FROM mr.arrival a WHERE a.queue = q AND a.tenant = sums.tenant;
    refused := fn.over_mark('tenant', (w.settings->'tenantDefaults') || coalesce(t.limits, '{}'),
      coalesce(t.ready + t.delayed, 0) + waiting.n::bigint + sums.n, coalesce(t.bytes, 0) + waiting.bytes::bigint + sums.bytes);
    IF refused IS NOT NULL THEN RETURN refused; END IF;
  END LOOP;
  SELECT coalesce(sum(a.ready + a.delayed), 0) AS n, coalesce(sum(a.bytes), 0) AS bytes INTO waiting FROM mr.arrival a WHERE a.queue = q;
  RETURN fn.over_mark('queue', w.settings->'limits', s.ready + s.delayed + waiting.n::bigint + cardinality(sizes),
    s.bytes + waiting.bytes::bigint + (SELECT sum(b) FROM unnest(sizes) b)::bigint);
END $$;

CREATE FUNCTION fn.over_mark(scope text, lim jsonb, n bigint, size bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN n > (lim->>'maxWaiting')::bigint THEN jsonb_build_array(scope, 'count')
    WHEN size > (lim->>'maxWaitingBytes')::bigint THEN jsonb_build_array(scope, 'bytes') END
$$;

-- Under the lock. move: of the schedule whose jobs these are; answers 'false' when it is not where the caller saw it, or there is no room.
CREATE FUNCTION fn.enqueue_locked(q int, shapes jsonb, ids jsonb, payloads jsonb, sizes int[], forms int[], atomic boolean, move jsonb,
  OUT answers text, OUT hungry boolean)
LANGUAGE plpgsql hot_settings AS $$
DECLARE
  c fn.call := fn.begin(q);
BEGIN
  c := fn.absorb(c);
  c := fn.place(c);
  hungry := false;
  answers := 'false';
  IF move IS NULL OR fn.stands_at(c, move) THEN
    c := fn.enqueue_each(c, shapes, ids, payloads, sizes, forms, atomic, false);
    c := fn.place(c);
    -- Refused jobs have the name of a limit in their answer, duplicates a truth value.
    IF move IS NULL OR NOT coalesce(c.answer @? '$[*][1] ? (@.type() == "string")', false) THEN
      IF move IS NOT NULL THEN PERFORM fn.move_schedule(c, move); END IF;
      hungry := c.hungry > 0 OR c.leased = 0;
      answers := CASE WHEN c.answer @? '$[*] ? (@ != null)' THEN c.answer::text END;
    END IF;
  END IF;
  PERFORM fn.commit(c);
END $$;

-- Jobs that a transaction has written, now that it has committed. They were promised: no mark refuses them.
CREATE FUNCTION fn.enqueue_written(c fn.call, lists jsonb) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  e jsonb;
BEGIN
  FOR e IN SELECT * FROM jsonb_array_elements(lists) LOOP
    c := fn.enqueue_each(c, e->0, e->1, e->2, ARRAY(SELECT v::int FROM jsonb_array_elements_text(e->3) v),
      ARRAY(SELECT v::int FROM jsonb_array_elements_text(e->4) v), false, true);
  END LOOP;
  RETURN c;
END $$;

CREATE FUNCTION fn.enqueue_each(c fn.call, shapes jsonb, ids jsonb, payloads jsonb, sizes int[], forms int[], atomic boolean, promised boolean)
RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  w mr.queue;
  refused jsonb;
  answers jsonb := '[]';
  parts fn.shape[] := ARRAY(SELECT s FROM jsonb_populate_recordset(NULL::fn.shape, shapes) s);
BEGIN
  IF atomic THEN
    SELECT * INTO w FROM mr.queue x WHERE x.number = c.queue;
    refused := CASE WHEN w.marked THEN fn.refuse_sums(c.queue, w, shapes, sizes, forms) END;
    IF refused IS NOT NULL THEN
      c.answer := (SELECT jsonb_agg(refused) FROM unnest(sizes));
      RETURN c;
    END IF;
  END IF;
  FOR i IN 1..cardinality(sizes) LOOP
    c := fn.enqueue_one(c, parts[forms[i]], ids->>(i - 1), payloads->>(i - 1), sizes[i], atomic OR promised);
    answers := answers || jsonb_build_array(c.answer);
  END LOOP;
  c.answer := answers;
  RETURN c;
END $$;

-- Decides about one job. answer: null, [id, replaced] or [scope, limit].
CREATE FUNCTION fn.enqueue_one(c fn.call, f fn.shape, job_id text, payload text, size int, admitted boolean)
RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  held mr.dedupe;
  done mr.done;
  s fn.spot;
  follows boolean := false;
BEGIN
  c.answer := NULL;
  IF EXISTS (SELECT 1 FROM mr.job j WHERE j.queue = c.queue AND j.id = job_id) THEN RETURN c; END IF;
  IF c.kept <> '{0,0,0}' THEN
    done := fn.find_done(c, job_id);
    IF done.id IS NOT NULL THEN RETURN c; END IF;
  END IF;
  IF f.m IS NOT NULL THEN
    SELECT * INTO held FROM mr.dedupe d WHERE d.queue = c.queue AND d.key = f.m->>'key';
    IF held.until <= c.now THEN held := NULL; END IF;
    IF held.key IS NOT NULL THEN
      c := fn.answer_duplicate(c, held, f.m, payload, size);
      IF c.answer IS NOT NULL THEN RETURN c; END IF;
    END IF;
    follows := held.key IS NOT NULL AND held.until IS NULL AND f.m->>'mode' = 'keep-last';
  END IF;
  IF NOT admitted THEN
    c.answer := fn.refuse_one(c, f.t, size);
    IF c.answer IS NOT NULL THEN RETURN c; END IF;
  END IF;
  s.id := job_id;
  s.tenant := f.t;
  s.priority := f.p;
  s.bytes := size;
  s.cost := f.c;
  s.attempt := 0;
  s.special := fn.is_special(f.x);
  s.ready_at := CASE WHEN NOT follows AND NOT coalesce(f.x ? 'c', false)
    THEN c.now + CASE WHEN f.m->>'mode' = 'debounce' THEN (f.m->>'ttl')::bigint ELSE f.d END END;
  INSERT INTO mr.job (queue, id, name, tenant, priority, max_attempts, cost, bytes, enqueued_at, ready_at, extra, payload)
    VALUES (c.queue, job_id, f.n, f.t, f.p, f.a, f.c, size, c.now, s.ready_at, f.x, payload) RETURNING seq, seq INTO s.seq, s.turn;
  c := fn.enter(c, s, s.ready_at, true);
  IF f.m IS NOT NULL THEN c := fn.hold_key(c, held, f.m, job_id); END IF;
  RETURN c;
END $$;

CREATE FUNCTION fn.refuse_one(c fn.call, who text, size int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  t mr.tenant;
  changed record;
  refused jsonb := fn.over_mark('queue', c.limits, c.ready + c.delayed + 1, c.bytes + size);
BEGIN
  IF refused IS NOT NULL THEN RETURN refused; END IF;
  t := fn.tenant_of(c.queue, who);
  IF t.limits IS NULL AND c.defaults = '{}' THEN RETURN NULL; END IF;
  SELECT coalesce(sum(u.r + u.d), 0)::bigint AS n, coalesce(sum(u.b), 0)::bigint AS bytes INTO changed
    FROM unnest(c.d_names, c.d_ready, c.d_delayed, c.d_bytes) u(name, r, d, b) WHERE u.name = who;
  RETURN fn.over_mark('tenant', c.defaults || coalesce(t.limits, '{}'),
    coalesce(t.ready + t.delayed, 0) + changed.n + 1, coalesce(t.bytes, 0) + changed.bytes + size);
END $$;
`;
