import { sql } from './sql.ts';

/** Acknowledging inside a transaction of the worker. */
export const transactionFunctions: string = sql`
-- Marks the lease as acknowledged; in force when the caller's transaction commits. Until then the row is locked, and sweeps pass it over.
CREATE FUNCTION fn.complete(queue_name text, job_id text, lease_fence bigint, ending_result text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  q int := (SELECT w.number FROM mr.queue w WHERE w.name = queue_name);
  owner mr.session;
BEGIN
  FOR owner IN SELECT * FROM mr.session s WHERE s.queue = q AND NOT s.ended AND s.expires_at > fn.now_ms() LOOP
    UPDATE mr.lease l SET completed = true, special = true, result = ending_result
      WHERE l.queue = q AND l.session = owner.number AND l.fence = lease_fence AND NOT l.completed
        AND (SELECT j.id FROM mr.job j WHERE j.queue = q AND j.seq = l.seq) = job_id;
    IF FOUND THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;
`;
