import { sql } from './sql.ts';

/** Acknowledging inside a transaction of the worker. */
export const transactionFunctions: string = sql`
-- Marks the lease as acknowledged; in force when the caller's transaction commits. Until then the row is locked, and sweeps pass it over.
CREATE FUNCTION fn.complete(q int, job_id text, lease_fence bigint, ending_result text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mr.lease l SET completed = true, special = true, result = ending_result
    FROM mr.session s, mr.job j
    WHERE s.queue = q AND NOT s.ended AND s.expires_at > fn.now_ms()
      AND l.queue = q AND l.session = s.number AND l.fence = lease_fence AND NOT l.completed
      AND j.queue = q AND j.seq = l.seq AND j.id = job_id;
  RETURN FOUND;
END $$;
`;
