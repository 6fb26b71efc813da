import { sql } from './sql.ts';

/** A function that does `steps` with each job of `ids`, and answers how many got to the end of them. */
function changeEach(name: string, parameters: string, job: string, steps: string): string {
  return `
CREATE FUNCTION fn.${name}(c fn.call, ids jsonb${parameters}) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  job_id text;
  ${job};
  n int := 0;
BEGIN
  FOR job_id IN SELECT * FROM jsonb_array_elements_text(ids) LIMIT 500 LOOP
    ${steps.trim()}
    n := n + 1;
  END LOOP;
  c.answer := to_jsonb(n);
  RETURN c;
END $$;
`;
}

// Each joins the end of its new class.
const changePriority = changeEach(
  'change_priority',
  ', priority int',
  's fn.spot',
  sql`
    s := fn.find(c, job_id);
    CONTINUE WHEN s.id IS NULL OR s.state = 'leased';
    c := fn.leave(c, s);
    s.priority := priority;
    UPDATE mr.job j SET priority = change_priority.priority WHERE j.queue = c.queue AND j.seq = s.seq;
    c := fn.enter(c, s, CASE WHEN s.state = 'ready' THEN c.now ELSE s.ready_at END);`,
);

const promote = changeEach(
  'promote_jobs',
  '',
  's fn.spot',
  sql`
    s := fn.find(c, job_id);
    CONTINUE WHEN s.id IS NULL OR s.state <> 'delayed' OR s.ready_at IS NULL;
    c := fn.reschedule(c, s, c.now);`,
);

// Dead and cancelled jobs wait again, as if new.
const redrive = changeEach(
  'redrive_jobs',
  ', spacing bigint, start bigint',
  'd mr.done',
  sql`
    d := fn.find_done(c, job_id);
    CONTINUE WHEN d.id IS NULL OR d.state = 1;
    c := fn.revive(c, d, c.now + start + n * spacing);`,
);

const purge = changeEach(
  'purge_jobs',
  '',
  'd mr.done',
  sql`
    d := fn.find_done(c, job_id);
    CONTINUE WHEN d.id IS NULL;
    c := fn.unkeep(c, d);`,
);

/** Changes to single jobs at somebody's request, at most 500 at a time. */
export const controlJobFunctions: string =
  sql`
CREATE FUNCTION fn.cancel_jobs(c fn.call, ids jsonb) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  job_id text;
  s fn.spot;
  done mr.done;
BEGIN
  c.answer := '[]';
  FOR job_id IN SELECT * FROM jsonb_array_elements_text(ids) LIMIT 500 LOOP
    s := fn.find(c, job_id);
    IF s.id IS NULL THEN
      done := fn.find_done(c, job_id);
      c.answer := c.answer || to_jsonb(CASE WHEN done.id IS NULL THEN 'unknown' ELSE 'finished' END);
    ELSIF s.state = 'leased' THEN
      UPDATE mr.lease l SET cancel = true WHERE l.queue = c.queue AND l.session = s.session AND l.fence = s.fence;
      IF NOT s.cancel THEN c.cancels := c.cancels + 1; END IF;
      c.answer := c.answer || to_jsonb('requested'::text);
    ELSE
      c := fn.finish(fn.leave(c, s), s, 'cancelled', NULL);
      c.answer := c.answer || to_jsonb('cancelled'::text);
    END IF;
  END LOOP;
  RETURN c;
END $$;

CREATE FUNCTION fn.revive(c fn.call, d mr.done, at bigint) RETURNS fn.call LANGUAGE plpgsql AS $$
DECLARE
  s fn.spot;
BEGIN
  c := fn.unkeep(c, d);
  s.seq := d.seq;
  s.id := d.id;
  s.tenant := d.tenant;
  s.priority := d.priority;
  s.bytes := d.bytes;
  s.cost := d.cost;
  s.attempt := 0;
  s.special := true;
  s.ready_at := at;
  INSERT INTO mr.job (queue, seq, id, name, tenant, priority, max_attempts, cost, bytes, enqueued_at, ready_at, extra, payload)
    VALUES (c.queue, d.seq, d.id, d.name, d.tenant, d.priority, d.max_attempts, d.cost, d.bytes, d.enqueued_at, at,
      nullif((d.extra - ARRAY['d', 'm', 'r']) || CASE WHEN d.extra ? 'n' THEN '{"n":0}' ELSE '{}' END::jsonb, '{}'), d.payload);
  INSERT INTO mr.note (queue, seq, failures, logs, progress) VALUES (c.queue, d.seq, d.failures, d.logs, d.progress);
  IF d.extra ? 'r' THEN PERFORM fn.unpack_children(c, d); END IF;
  RETURN fn.enter(c, s, at);
END $$;
` +
  changePriority +
  promote +
  redrive +
  purge;
