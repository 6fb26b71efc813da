import { sql } from './sql.ts';

/** Dedupe keys. Only under the lock of the queue. */
export const dedupeFunctions: string = sql`
-- The answer to a job whose key is held; NULL when the job is to be stored all the same.
CREATE FUNCTION fn.answer_duplicate(c fn.call, held mr.dedupe, spec jsonb, new_payload text, size int)
RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot;
  wanted bigint;
BEGIN
  c.answer := jsonb_build_array(held.job_id, false);
  IF spec->>'mode' NOT IN ('keep-last', 'debounce') THEN RETURN c; END IF;
  s := fn.find(c, CASE WHEN spec->>'mode' = 'keep-last' THEN coalesce(held.next_id, held.job_id) ELSE held.job_id END);
  IF s.id IS NULL OR s.state = 'leased' AND (spec->>'mode' = 'debounce' OR held.next_id IS NULL) THEN
    c.answer := NULL;
    RETURN c;
  END IF;
  c := fn.replace_payload(c, s, new_payload, size);
  s.bytes := size;
  IF spec->>'mode' = 'debounce' AND s.state = 'delayed' THEN
    wanted := c.now + (spec->>'ttl')::bigint;
    c := fn.reschedule(c, s, least(wanted, held.latest));
  END IF;
  c.answer := jsonb_build_array(s.id, true);
  RETURN c;
END $$;

CREATE FUNCTION fn.replace_payload(c fn.call, s fn.spot, new_payload text, size int) RETURNS fn.call LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mr.job j SET payload = new_payload, bytes = size WHERE j.queue = c.queue AND j.seq = s.seq;
  IF s.state = 'leased' THEN RETURN c; END IF;
  IF s.state = 'ready' THEN
    UPDATE mr.ready r SET bytes = size WHERE r.queue = c.queue AND r.tenant = s.tenant
      AND r.rank = fn.rank_of(s.ready_at, s.priority) AND r.turn = s.turn;
  END IF;
  c.bytes := c.bytes + size - s.bytes;
  RETURN fn.count_tenant(c, s.tenant, 0, 0, 0, size - s.bytes);
END $$;

-- Notes that the job, just stored, holds its key (or is the follow-up of the job that does).
CREATE FUNCTION fn.hold_key(c fn.call, held mr.dedupe, spec jsonb, new_id text) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  ends bigint := CASE WHEN spec->>'mode' = 'window' THEN c.now + (spec->>'ttl')::bigint END;
BEGIN
  IF spec->>'mode' = 'keep-last' AND held.key IS NOT NULL AND held.until IS NULL THEN
    UPDATE mr.dedupe d SET next_id = new_id WHERE d.queue = c.queue AND d.key = held.key;
    RETURN c;
  END IF;
  INSERT INTO mr.dedupe AS d (queue, key, job_id, until, latest) VALUES (c.queue, spec->>'key', new_id, ends, c.now + (spec->>'maxWait')::bigint)
    ON CONFLICT (queue, key) DO UPDATE SET job_id = excluded.job_id, until = excluded.until, latest = excluded.latest, next_id = NULL;
  c.due := least(c.due, ends);
  RETURN c;
END $$;
`;
