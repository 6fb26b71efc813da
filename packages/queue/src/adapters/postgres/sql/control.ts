import { sql } from './sql.ts';

/** One entry for all that is not on the hot path, and what opens a queue and tells others. */
export const controlFunctions: string = sql`
CREATE FUNCTION fn.open(queue_name text, settings jsonb) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  number int;
BEGIN
  SELECT w.number INTO number FROM mr.queue w WHERE w.name = queue_name;
  IF FOUND THEN RETURN number; END IF;
  INSERT INTO mr.queue (name, settings) VALUES (queue_name, settings) ON CONFLICT (name) DO NOTHING RETURNING mr.queue.number INTO number;
  IF NOT FOUND THEN
    RETURN (SELECT w.number FROM mr.queue w WHERE w.name = queue_name);
  END IF;
  INSERT INTO mr.state (queue, version) VALUES (number, 1);
  RETURN number;
END $$;

CREATE FUNCTION fn.channel(q int) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'millrace_' || ('mr.queue'::regclass::oid)::text || '_' || q $$;

CREATE FUNCTION fn.tell(q int, what text) RETURNS void LANGUAGE sql AS $$ SELECT pg_notify(fn.channel(q), what) $$;

-- Operations that change something, under the lock.
CREATE FUNCTION fn.change(q int, operation text, input jsonb) RETURNS jsonb LANGUAGE plpgsql hot_settings AS $$
DECLARE
  c fn.call := fn.begin(q);
BEGIN
  c := fn.absorb(c);
  c := fn.place(c);
  CASE operation
    WHEN 'configure' THEN c := fn.configure(c, input);
    WHEN 'limitTenant' THEN c := fn.limit_tenant(c, input->>'tenant', input->'limits');
    WHEN 'pause' THEN c := fn.set_paused(c, input->>'tenant', true);
    WHEN 'resume' THEN c := fn.set_paused(c, input->>'tenant', false);
    WHEN 'cancel' THEN c := fn.cancel_jobs(c, input->'ids');
    WHEN 'setPriority' THEN c := fn.change_priority(c, input->'ids', (input->>'priority')::int);
    WHEN 'promote' THEN c := fn.promote_jobs(c, input->'ids');
    WHEN 'redrive' THEN c := fn.redrive_jobs(c, input->'ids', (input->>'spacing')::bigint, (input->>'offset')::bigint);
    WHEN 'purge' THEN c := fn.purge_jobs(c, input->'ids');
    WHEN 'putSchedule' THEN c := fn.put_schedule(c, input->'schedule');
    WHEN 'removeSchedule' THEN
      DELETE FROM mr.schedule s WHERE s.queue = q AND s.key = input->>'key';
      c.answer := to_jsonb(FOUND);
    WHEN 'explain' THEN c.answer := fn.explain(c, input->>'id');
    WHEN 'tenants' THEN c.answer := fn.tenants(c, input->>'cursor', (input->>'limit')::int);
  END CASE;
  c := fn.place(c);
  PERFORM fn.commit(c);
  RETURN c.answer;
END $$;

-- Operations that only look.
CREATE FUNCTION fn.look(q int, operation text, input jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  CASE operation
    WHEN 'counts' THEN RETURN fn.counts(q);
    WHEN 'list' THEN RETURN fn.list(q, input->'filter', coalesce((input->>'cursor')::bigint, 0), (input->>'limit')::int);
    WHEN 'count' THEN RETURN to_jsonb(fn.count(q, input->'filter'));
    WHEN 'job' THEN RETURN (SELECT fn.job_view(j) FROM fn.jobs j WHERE j.queue = q AND j.id = input->>'id' ORDER BY j.finished_at DESC NULLS FIRST LIMIT 1);
    WHEN 'children' THEN RETURN coalesce(
      (SELECT jsonb_agg(x.record ORDER BY x.id) FROM mr.child x WHERE x.queue = q AND x.parent_id = input->>'parentId'),
      (SELECT j.extra->'r' FROM fn.jobs j WHERE j.queue = q AND j.id = input->>'parentId' ORDER BY j.finished_at DESC NULLS FIRST LIMIT 1), '[]');
    WHEN 'priorities' THEN RETURN fn.priorities(q);
    WHEN 'errorGroups' THEN RETURN fn.error_groups(q, least((input->>'limit')::int, 100));
    WHEN 'schedules' THEN RETURN coalesce((SELECT jsonb_agg(s.record ORDER BY s.key) FROM mr.schedule s
      WHERE s.queue = q AND (NOT input ? 'keys' OR s.key = ANY (ARRAY(SELECT jsonb_array_elements_text(input->'keys'))))), '[]');
  END CASE;
END $$;
`;
