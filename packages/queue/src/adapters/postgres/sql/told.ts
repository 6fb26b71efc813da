import { sql } from './sql.ts';

/**
 * What a worker is told about the jobs that it has claimed. Claims work on narrow tables; the bodies are read here, once, all in one walk along
 * their key.
 */
export const toldFunctions: string = sql`
-- A column as JSON: one value if all are equal, else a list.
CREATE FUNCTION fn.column_of(a anyarray) RETURNS json LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN cardinality(array_remove(a, a[1])) = 0 THEN to_json(a[1]) ELSE array_to_json(a) END $$;

-- The end of an answer: the jobs as JSON, column by column (written once per column instead of once per value), and the payloads behind it, as they
-- are. The last job has the last fence. Where the bodies do not stand in the order of claiming, places says where each belongs; attempts are in that order.
CREATE FUNCTION fn.tell_jobs(q int, last_fence bigint, seqs bigint[], attempts int[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  j record;
  places bigint[];
BEGIN
  IF cardinality(seqs) = 0 THEN RETURN 'null]'; END IF;
  SELECT array_agg(b.seq) AS seqs, array_agg(b.id) AS ids, array_agg(b.name) AS names, array_agg(b.tenant) AS tenants, array_agg(b.priority) AS priorities,
      array_agg(b.max_attempts) AS most_attempts, array_agg(b.cost) AS costs, array_agg(b.enqueued_at) AS enqueued, array_agg(b.ready_at) AS ready,
      array_agg(octet_length(b.payload)) AS lengths, CASE WHEN count(b.extra) > 0 THEN array_agg(b.extra) END AS extras, string_agg(b.payload, '') AS payloads
    INTO j FROM (SELECT x.* FROM mr.job x WHERE x.queue = q AND x.seq = ANY (seqs) ORDER BY x.seq) b;
  IF j.seqs IS NULL THEN RETURN 'null]'; END IF;
  IF j.seqs <> seqs THEN
    places := ARRAY(SELECT u.place - 1 FROM unnest(seqs) WITH ORDINALITY u(seq, place)
      WHERE cardinality(j.seqs) = cardinality(seqs) OR u.seq = ANY (j.seqs) ORDER BY u.seq);
  END IF;
  -- Payloads are put on by the operator: concat() would make another text of them first.
  RETURN concat('[', last_fence - cardinality(seqs) + 1, ',', array_to_json(j.ids), ',', fn.column_of(j.names), ',', fn.column_of(j.tenants), ',',
    fn.column_of(j.priorities), ',', fn.column_of(attempts), ',', fn.column_of(j.most_attempts), ',', fn.column_of(j.costs), ',',
    fn.column_of(j.enqueued), ',', fn.column_of(j.ready), ',', array_to_json(j.lengths), ',', coalesce(array_to_json(j.extras), 'null'), ',',
    coalesce(array_to_json(places), 'null'), ']]', chr(30)) || j.payloads;
END $$;
`;
