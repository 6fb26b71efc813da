import { changingColumns } from './job-rows.ts';

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

/**
 * Every statement on the hot path; a test asks SQLite for the plan of each: no scan, no sort. The first value is the queue's number unless said otherwise.
 * Where a condition looks redundant (`state = 1 AND state <= 1`) it is there because SQLite uses a partial index only if the query repeats its condition.
 */
export const hot = {
  queue: 'SELECT state, settings FROM millrace_queue WHERE number = ?',
  saveQueue: 'UPDATE millrace_queue SET state = ? WHERE number = ?',
  jobById: 'SELECT * FROM millrace_job WHERE queue = ? AND id = ?',
  insertJob: `INSERT INTO millrace_job (row_id, queue, id, name, tenant, state, priority, rank, ready_at, attempt, max_attempts, cost,
    bytes, enqueued_at, pending_children, more, payload) VALUES (${marks(17)})`,
  /** Values: attempt, session, call, fence, claimed_at, visible_until, row_id. */
  leaseJob: `UPDATE millrace_job SET state = 2, attempt = ?, session = ?, call = ?, fence = ?, claimed_at = ?, visible_until = ? WHERE row_id = ?`,
  /** Values: {@link changingColumns}, row_id. */
  saveJob: `UPDATE millrace_job SET ${changingColumns.map((column) => `${column} = ?`).join(', ')} WHERE row_id = ?`,
  removeJob: 'DELETE FROM millrace_job WHERE row_id = ?',
  heads: 'SELECT * FROM millrace_job WHERE queue = ? AND tenant = ? AND state = 0 ORDER BY rank, row_id LIMIT ?',
  oldestReady:
    'SELECT ready_at AS at FROM millrace_job WHERE queue = ? AND state = 0 AND state <= 1 ORDER BY ready_at LIMIT 1',
  delayedBefore:
    'SELECT * FROM millrace_job WHERE queue = ? AND state = 1 AND state <= 1 AND ready_at <= ? ORDER BY ready_at LIMIT ?',
  visibleBefore: 'SELECT * FROM millrace_job WHERE queue = ? AND visible_until <= ? ORDER BY visible_until LIMIT ?',
  leasedBy: 'SELECT * FROM millrace_job WHERE queue = ? AND session = ? AND state = 2 LIMIT ?',
  cancelRequests: 'SELECT * FROM millrace_job WHERE queue = ? AND session = ? AND cancel_requested = 1',
  oldestFinished:
    'SELECT * FROM millrace_job WHERE queue = ? AND state = ? AND state >= 3 AND keep_until IS NULL ORDER BY finished_at LIMIT 1',
  keptBefore: 'SELECT * FROM millrace_job WHERE queue = ? AND keep_until <= ? ORDER BY keep_until LIMIT ?',
  tenant: 'SELECT * FROM millrace_tenant WHERE queue = ? AND name = ?',
  saveTenant: `INSERT INTO millrace_tenant (queue, name, limits, paused, ready, delayed, leased, waiting_bytes, vtime, tat, spent,
    "window", ringed, head_class, since, urgency, parked_until) VALUES (${marks(17)})
    ON CONFLICT (queue, name) DO UPDATE SET limits = excluded.limits, paused = excluded.paused, ready = excluded.ready,
    delayed = excluded.delayed, leased = excluded.leased, waiting_bytes = excluded.waiting_bytes, vtime = excluded.vtime,
    tat = excluded.tat, spent = excluded.spent, "window" = excluded."window", ringed = excluded.ringed,
    head_class = excluded.head_class, since = excluded.since, urgency = excluded.urgency, parked_until = excluded.parked_until`,
  ring: 'SELECT * FROM millrace_tenant WHERE queue = ? AND ringed = 1 ORDER BY head_class DESC, vtime LIMIT ? OFFSET ?',
  urgent: 'SELECT * FROM millrace_tenant WHERE queue = ? AND ringed = 1 ORDER BY urgency LIMIT ? OFFSET ?',
  parkedBefore: 'SELECT * FROM millrace_tenant WHERE queue = ? AND parked_until <= ? ORDER BY parked_until LIMIT ?',
  session: 'SELECT * FROM millrace_session WHERE queue = ? AND id = ?',
  saveSession: `INSERT INTO millrace_session (queue, id, expires_at, barrier, over, polite) VALUES (${marks(6)})
    ON CONFLICT (queue, id) DO UPDATE SET expires_at = excluded.expires_at, barrier = excluded.barrier, over = excluded.over,
    polite = excluded.polite`,
  removeSession: 'DELETE FROM millrace_session WHERE queue = ? AND id = ?',
  expiredSessions: 'SELECT * FROM millrace_session WHERE queue = ? AND expires_at <= ? ORDER BY expires_at LIMIT ?',
  dedupe: 'SELECT * FROM millrace_dedupe WHERE queue = ? AND key = ?',
  saveDedupe: `INSERT INTO millrace_dedupe (queue, key, job_id, until, latest, next_id) VALUES (${marks(6)})
    ON CONFLICT (queue, key) DO UPDATE SET job_id = excluded.job_id, until = excluded.until, latest = excluded.latest,
    next_id = excluded.next_id`,
  removeDedupe: 'DELETE FROM millrace_dedupe WHERE queue = ? AND key = ?',
  dedupeBefore: 'SELECT * FROM millrace_dedupe WHERE queue = ? AND until <= ? ORDER BY until LIMIT ?',
  dueSchedules: 'SELECT key FROM millrace_schedule WHERE queue = ? AND next_at <= ? ORDER BY next_at LIMIT ?',
  /** Everything that time alone will bring about. Value ?1: the queue's number. */
  next: `SELECT
    (SELECT ready_at FROM millrace_job WHERE queue = ?1 AND state = 1 AND state <= 1 AND ready_at > 0 ORDER BY ready_at LIMIT 1) AS delayed,
    (SELECT visible_until FROM millrace_job WHERE queue = ?1 AND visible_until > 0 ORDER BY visible_until LIMIT 1) AS visible,
    (SELECT keep_until FROM millrace_job WHERE queue = ?1 AND keep_until > 0 ORDER BY keep_until LIMIT 1) AS kept,
    (SELECT parked_until FROM millrace_tenant WHERE queue = ?1 AND parked_until > 0 ORDER BY parked_until LIMIT 1) AS parked,
    (SELECT expires_at FROM millrace_session WHERE queue = ?1 ORDER BY expires_at LIMIT 1) AS expiry,
    (SELECT until FROM millrace_dedupe WHERE queue = ?1 AND until > 0 ORDER BY until LIMIT 1) AS dedupe,
    (SELECT next_at FROM millrace_schedule WHERE queue = ?1 AND next_at > 0 ORDER BY next_at LIMIT 1) AS schedule`,
  dropIdle: `DELETE FROM millrace_tenant WHERE queue = ?1 AND name IN (SELECT name FROM millrace_tenant
    WHERE queue = ?1 AND ready = 0 AND delayed = 0 AND leased = 0 AND limits IS NULL AND paused = 0 AND spent = 0
    AND vtime <= ?2 LIMIT 20)`,
};
