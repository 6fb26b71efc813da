import { sql } from './sql.ts';

/** Settings, limits, pauses, schedules. */
export const controlLimitFunctions: string = sql`
-- Merges field by field; null removes a bound.
CREATE FUNCTION fn.merge(present jsonb, patch jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT jsonb_strip_nulls(coalesce(present, '{}') || coalesce(nullif(patch, 'null'), '{}')) $$;

CREATE FUNCTION fn.has_marks(lim jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT coalesce(lim ?| ARRAY['maxWaiting', 'maxWaitingBytes'], false) $$;

CREATE FUNCTION fn.configure(c fn.call, input jsonb) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := (SELECT w.settings FROM mr.queue w WHERE w.number = c.queue);
BEGIN
  c.answer := jsonb_build_object(
    'limits', fn.merge(before->'limits', input->'limits'),
    'tenantDefaults', fn.merge(before->'tenantDefaults', input->'tenantDefaults'),
    'aging', coalesce(nullif(input->'aging', 'null'), before->'aging'),
    'retention', (before->'retention') || coalesce(nullif(input->'retention', 'null'), '{}'));
  UPDATE mr.queue w SET settings = c.answer,
      marked = w.marked OR fn.has_marks(c.answer->'limits') OR fn.has_marks(c.answer->'tenantDefaults')
    WHERE w.number = c.queue;
  c.limits := c.answer->'limits';
  c.defaults := c.answer->'tenantDefaults';
  c.retention := c.answer->'retention';
  c.aging := round((c.answer->>'aging')::numeric)::bigint;
  c.due := 0;
  c.aged_at := 0;
  -- Whom the old defaults held may run now; whom only the new ones hold is found out at its next turn.
  IF input ? 'tenantDefaults' THEN
    c := fn.touch(c, ARRAY(SELECT DISTINCT t.name FROM mr.tenant t WHERE t.queue = c.queue));
  END IF;
  RETURN c;
END $$;

CREATE FUNCTION fn.ensure_tenant(c fn.call, who text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM mr.tenant t WHERE t.queue = c.queue AND t.name = who) THEN
    INSERT INTO mr.tenant (queue, name, version) VALUES (c.queue, who, c.version);
  END IF;
END $$;

CREATE FUNCTION fn.limit_tenant(c fn.call, who text, patch jsonb) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  own jsonb;
BEGIN
  PERFORM fn.ensure_tenant(c, who);
  own := nullif(fn.merge((fn.tenant_of(c.queue, who)).limits, patch), '{}');
  UPDATE mr.tenant t SET limits = own WHERE t.queue = c.queue AND t.name = who AND t.version = (fn.tenant_of(c.queue, who)).version;
  IF fn.has_marks(own) THEN UPDATE mr.queue w SET marked = true WHERE w.number = c.queue; END IF;
  c := fn.touch(c, ARRAY[who]);
  c.answer := fn.tenant_view(c, fn.tenant_of(c.queue, who));
  RETURN c;
END $$;

CREATE FUNCTION fn.set_paused(c fn.call, who text, value boolean) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  IF who IS NULL THEN
    UPDATE mr.queue w SET paused = value WHERE w.number = c.queue;
    RETURN c;
  END IF;
  PERFORM fn.ensure_tenant(c, who);
  UPDATE mr.tenant t SET paused = value WHERE t.queue = c.queue AND t.name = who AND t.version = (fn.tenant_of(c.queue, who)).version;
  RETURN fn.touch(c, ARRAY[who]);
END $$;

CREATE FUNCTION fn.put_schedule(c fn.call, schedule jsonb) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  known jsonb := (SELECT s.record FROM mr.schedule s WHERE s.queue = c.queue AND s.key = schedule->>'key');
BEGIN
  c.answer := schedule;
  -- An unchanged rhythm goes on where it is.
  IF known->>'cron' = schedule->>'cron' AND known->>'timeZone' = schedule->>'timeZone' THEN
    c.answer := jsonb_strip_nulls(schedule || jsonb_build_object('nextAt', known->'nextAt', 'lastAt', known->'lastAt'));
  END IF;
  INSERT INTO mr.schedule (queue, key, next_at, record) VALUES (c.queue, c.answer->>'key', (c.answer->>'nextAt')::bigint, c.answer)
    ON CONFLICT (queue, key) DO UPDATE SET next_at = excluded.next_at, record = excluded.record;
  c.due := least(c.due, (c.answer->>'nextAt')::bigint);
  RETURN c;
END $$;

-- Whether a schedule is where the caller saw it: of many processes one enqueues.
CREATE FUNCTION fn.stands_at(c fn.call, move jsonb) RETURNS boolean LANGUAGE sql AS $$
  SELECT EXISTS (SELECT FROM mr.schedule s
    WHERE s.queue = c.queue AND s.key = move->>'key' AND s.next_at = (move->>'expectedNextAt')::bigint)
$$;

CREATE FUNCTION fn.move_schedule(c fn.call, move jsonb) RETURNS void LANGUAGE sql AS $$
  UPDATE mr.schedule s SET next_at = (move->>'nextAt')::bigint,
      record = jsonb_strip_nulls(s.record || jsonb_build_object('nextAt', move->'nextAt', 'lastAt', move->'lastAt'))
    WHERE s.queue = c.queue AND s.key = move->>'key'
$$;
`;
