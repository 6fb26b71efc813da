import { sql } from './sql.ts';

/**
 * Stores jobs that are ready, or delayed; `onConflict` says what becomes of an id that is known. Shapes are found by their number in an array: each job
 * may have one of its own (a traceparent makes it), and a join would look at all of them for each job.
 */
function insertFunction(name: string, onConflict: string): string {
  return (
    `
CREATE FUNCTION fn.${name}(q int, at bigint, shapes jsonb, ids text[], payloads text[], sizes int[], forms int[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  parts fn.shape[] := ARRAY(SELECT s FROM jsonb_populate_recordset(NULL::fn.shape, shapes) s);
BEGIN
  WITH given AS (
    SELECT g.id, g.payload, g.bytes, parts[g.form] AS form
      FROM unnest(ids, payloads, sizes, forms) WITH ORDINALITY AS g(id, payload, bytes, form, place) ORDER BY g.place OFFSET 0
  ), stored AS (
    INSERT INTO mr.job (queue, id, name, tenant, priority, max_attempts, cost, bytes, enqueued_at, ready_at, extra, payload)
      SELECT q, g.id, (g.form).n, (g.form).t, (g.form).p, (g.form).a, (g.form).c, g.bytes, at, at + (g.form).d, (g.form).x, g.payload FROM given g
      ${onConflict}` +
    sql`
    RETURNING seq, tenant, priority, cost, bytes, ready_at, extra
  ), ready AS (
    INSERT INTO mr.ready (queue, tenant, rank, turn, seq, ready_at, cost, bytes, attempt, priority, special)
      SELECT q, tenant, fn.rank_of(ready_at, priority), seq, seq, ready_at, cost, bytes, 0, priority, fn.is_special(extra)
      FROM stored WHERE ready_at <= at
  ), delayed AS (
    INSERT INTO mr.delayed (queue, seq, ready_at, attempt, special)
      SELECT q, seq, ready_at, 0, fn.is_special(extra) FROM stored WHERE ready_at > at
  )
  INSERT INTO mr.arrival (queue, tenant, ready, delayed, bytes, min_rank, min_ready_at)
    SELECT q, tenant, count(*) FILTER (WHERE ready_at <= at), count(*) FILTER (WHERE ready_at > at), sum(bytes),
      min(fn.rank_of(ready_at, priority)) FILTER (WHERE ready_at <= at), min(ready_at) FILTER (WHERE ready_at > at)
    FROM stored GROUP BY tenant;
END $$;
`
  );
}

/** How jobs that need no look at others are stored. */
export const storeFunctions: string =
  sql`
CREATE TYPE fn.shape AS (n text, t text, p int, d bigint, a int, c bigint, x jsonb, m jsonb);

-- Texts with a separator between them; without one, JSON.
CREATE FUNCTION fn.list_of(list text, separator text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF separator IS NULL THEN RETURN ARRAY(SELECT jsonb_array_elements_text(list::jsonb)); END IF;
  RETURN string_to_array(list, separator);
END $$;

-- Looking for a known id at each row costs a quarter of storing it. So new ids, which is what they nearly always are, are stored without; when one turns
-- up all the same (from another producer at this moment, or twice in the call) that is undone, and they are stored one by one, known ones left as they
-- are. Not inside a transaction of the caller, which many subtransactions would make dear for others.
CREATE FUNCTION fn.store_jobs(q int, at bigint, shapes jsonb, ids text[], payloads text[], sizes int[], forms int[], inside boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT inside AND NOT EXISTS (SELECT FROM mr.job j WHERE j.queue = q AND j.id = ANY (ids)) THEN
    BEGIN
      PERFORM fn.insert_new(q, at, shapes, ids, payloads, sizes, forms);
      RETURN;
    EXCEPTION WHEN unique_violation THEN
      NULL;
    END;
  END IF;
  PERFORM fn.insert_unknown(q, at, shapes, ids, payloads, sizes, forms);
END $$;
` +
  insertFunction('insert_new', '') +
  insertFunction('insert_unknown', 'ON CONFLICT (queue, id) DO NOTHING');
