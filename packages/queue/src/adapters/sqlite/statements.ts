import { acknowledgedColumns, listed, readyColumns } from './job-rows.ts';
import { changingColumns, insertedColumns } from './job-values.ts';
import type { ForMany } from './many.ts';

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

/** The statement for each number of rows, put together once. */
function forMany(sql: (rows: string) => string, columns: number): ForMany {
  const row = `(${marks(columns)})`;
  const made = new Map<number, string>();
  return (rows) => {
    const known = made.get(rows);
    if (known !== undefined) return known;
    const text = sql(Array.from({ length: rows }, () => row).join(', '));
    made.set(rows, text);
    return text;
  };
}

/** An INSERT, with what to do on a conflict. */
function insertInto(table: string, columns: readonly string[], onConflict = ''): ForMany {
  return forMany((rows) => `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${rows} ${onConflict}`, columns.length);
}

function upsertInto(table: string, keys: readonly string[], others: readonly string[]): ForMany {
  const set = others.map((column) => `${column} = excluded.${column}`).join(', ');
  return insertInto(table, [...keys, ...others], `ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${set}`);
}

/** An UPDATE of rows that are there. */
function updateOf(table: string, keys: readonly string[], others: readonly string[]): ForMany {
  const set = others.map((column, index) => `${column} = v.column${keys.length + index + 1}`).join(', ');
  const where = keys.map((column, index) => `${table}.${column} = v.column${index + 1}`).join(' AND ');
  return forMany(
    (rows) => `UPDATE ${table} SET ${set} FROM (VALUES ${rows}) AS v WHERE ${where}`,
    keys.length + others.length,
  );
}

/** Values: {@link insertedColumns}. */
export const insertJobs: ForMany = insertInto('millrace_job', insertedColumns);

/** Values: queue, name, and the others as they stand here. */
export const saveTenant: ForMany = upsertInto(
  'millrace_tenant',
  ['queue', 'name'],
  // biome-ignore format: one line is one row
  ['limits', 'paused', 'ready', 'delayed', 'leased', 'waiting_bytes', 'vtime', 'tat', 'spent', '"window"', 'held', 'parked_until'],
);

/** The counters and times that change with every job of a tenant. Values: queue, name, and the others as they stand here. */
export const countTenant: ForMany = updateOf(
  'millrace_tenant',
  ['queue', 'name'],
  ['ready', 'delayed', 'leased', 'waiting_bytes', 'vtime'],
);

/** Values: queue, tenant, priority, score, held. */
export const saveLine: ForMany = upsertInto('millrace_line', ['queue', 'tenant', 'priority'], ['score', 'held']);

/**
 * The columns of the tenant `t`: what is whole or text as one JSON list. Fractions stand beside it, because SQLite writes only 15 of their digits
 * into JSON.
 */
export const tenantColumns: string = `${listed(['name', 'limits', 'paused', 'ready', 'delayed', 'leased', 'waiting_bytes', 'spent', '"window"', 'held'], 't.')}
  AS tenant, t.vtime AS vtime, t.tat AS tat, t.parked_until AS parked_until`;

/** The first job of the line `l`. */
const headOfLine = `(SELECT row_id FROM millrace_job WHERE queue = l.queue AND tenant = l.tenant AND state = 0 AND priority = l.priority
      ORDER BY ready_at, row_id LIMIT 1)`;

/**
 * Every statement on the hot path; a test asks SQLite for the plan of each: no scan, no sort. The first value is the queue's number unless said otherwise.
 * Where a condition looks redundant (`state = ? AND state >= 3`) it is there because SQLite uses a partial index only if the query repeats its condition.
 * Lists of ids come as one JSON text: a statement per id would cost more than the work in it. CROSS JOIN makes the list the outer loop.
 */
export const hot = {
  queue: 'SELECT state, settings FROM millrace_queue WHERE number = ?',
  saveQueue: 'UPDATE millrace_queue SET state = ? WHERE number = ?',
  jobById: 'SELECT * FROM millrace_job WHERE queue = ? AND id = ?',
  /** Values: ids, queue. */
  jobsByIds: `SELECT j.* FROM json_each(?) AS u CROSS JOIN millrace_job AS j WHERE j.queue = ? AND j.id = u.value`,
  /** Values: ids, queue, session. */
  acknowledged: `SELECT json_group_array(${listed(acknowledgedColumns, 'j.')}) AS jobs FROM json_each(?) AS u
    CROSS JOIN millrace_job AS j WHERE j.queue = ? AND j.id = u.value AND j.session = ? AND j.state = 2`,
  insertJob: insertJobs(1) as string,
  insertJobs: insertJobs(64) as string,
  /** Values: session, call, claimed_at, fence of the first; row ids in the order of their fences. */
  leaseJobs: `UPDATE millrace_job SET state = 2, attempt = attempt + 1, session = ?1, call = ?2, claimed_at = ?3, fence = ?4 + u.key, visible_until = NULL
    FROM json_each(?5) AS u WHERE row_id = u.value`,
  setVisible: 'UPDATE millrace_job SET visible_until = ? WHERE row_id = ?',
  /** Values: {@link changingColumns}, row_id. */
  saveJob: `UPDATE millrace_job SET ${changingColumns.map((column) => `${column} = ?`).join(', ')} WHERE row_id = ?`,
  /** Values: payload, bytes, progress, logs, row_id. */
  saveContent: 'UPDATE millrace_job SET payload = ?, bytes = ?, progress = ?, logs = ? WHERE row_id = ?',
  /** Values: state, attempt, finished_at, keep_until, result, failures, row_id. */
  finishJob: `UPDATE millrace_job SET state = ?, attempt = ?, finished_at = ?, keep_until = ?, result = ?, failures = ?, session = NULL, visible_until = NULL,
    cancel_requested = 0 WHERE row_id = ?`,
  /** Values: row ids. */
  removeJobs: 'DELETE FROM millrace_job WHERE row_id IN (SELECT value FROM json_each(?))',
  /** Values: queue, tenant, priority, limit. */
  heads: `SELECT ${listed(readyColumns)} AS job, payload FROM millrace_job WHERE queue = ? AND tenant = ? AND state = 0 AND priority = ? ORDER BY ready_at, row_id LIMIT ?`,
  /** The oldest of each class: a step for each class that has ready jobs, and one more. Value ?1: the queue's number. */
  oldestReady: `WITH RECURSIVE step (priority) AS (
      SELECT max(priority) FROM millrace_job WHERE queue = ?1 AND state = 0
      UNION ALL
      SELECT (SELECT max(priority) FROM millrace_job WHERE queue = ?1 AND state = 0 AND priority < step.priority) FROM step WHERE step.priority IS NOT NULL)
    SELECT min((SELECT ready_at FROM millrace_job INDEXED BY millrace_job_class WHERE queue = ?1 AND state = 0 AND priority = step.priority
      ORDER BY ready_at LIMIT 1)) AS at FROM step`,
  delayedBefore: 'SELECT * FROM millrace_job WHERE queue = ? AND state = 1 AND ready_at <= ? ORDER BY ready_at LIMIT ?',
  visibleBefore: 'SELECT * FROM millrace_job WHERE queue = ? AND visible_until <= ? ORDER BY visible_until LIMIT ?',
  leasedBy: 'SELECT * FROM millrace_job WHERE queue = ? AND session = ? AND state = 2 LIMIT ?',
  cancelRequests: 'SELECT * FROM millrace_job WHERE queue = ? AND session = ? AND cancel_requested = 1',
  oldestFinished:
    'SELECT * FROM millrace_job WHERE queue = ? AND state = ? AND state >= 3 AND keep_until IS NULL ORDER BY finished_at LIMIT 1',
  keptBefore: 'SELECT * FROM millrace_job WHERE queue = ? AND keep_until <= ? ORDER BY keep_until LIMIT ?',
  tenant: `SELECT ${tenantColumns} FROM millrace_tenant AS t WHERE t.queue = ? AND t.name = ?`,
  /** Values: names, queue. */
  tenantsByName: `SELECT ${tenantColumns} FROM json_each(?) AS u CROSS JOIN millrace_tenant AS t WHERE t.queue = ? AND t.name = u.value`,
  /** Of tenants whom that concerns in nothing else. Values: leases that have ended, queue, names. */
  endLeases: `UPDATE millrace_tenant SET leased = leased - ? WHERE queue = ? AND name IN (SELECT value FROM json_each(?))
    AND limits IS NULL AND held = 0`,
  /** The others. Values: names, queue. */
  particularTenants: `SELECT t.name FROM json_each(?) AS u CROSS JOIN millrace_tenant AS t WHERE t.queue = ? AND t.name = u.value
    AND (t.limits IS NOT NULL OR t.held = 1)`,
  saveTenant: saveTenant(1) as string,
  saveTenants: saveTenant(64) as string,
  countTenant: countTenant(1) as string,
  countTenants: countTenant(64) as string,
  /** Values: queue, tenant, priority. */
  line: 'SELECT score, held FROM millrace_line WHERE queue = ? AND tenant = ? AND priority = ?',
  heldLines: 'SELECT priority, score, held FROM millrace_line WHERE queue = ? AND tenant = ? AND held = 1',
  saveLine: saveLine(1) as string,
  saveLines: saveLine(64) as string,
  /** Values: queue, priority, tenants. */
  removeLines:
    'DELETE FROM millrace_line WHERE queue = ? AND priority = ? AND tenant IN (SELECT value FROM json_each(?))',
  /** Lines with their tenants. Values: queue, priority, limit, offset. */
  ring: `SELECT l.score, ${tenantColumns} FROM millrace_line AS l CROSS JOIN millrace_tenant AS t ON t.queue = l.queue AND t.name = l.tenant
    WHERE l.queue = ? AND l.priority = ? AND l.held = 0 ORDER BY l.score LIMIT ? OFFSET ?`,
  /** The same with the first job of each, and whether another stands behind it. */
  ringWithHeads: `SELECT l.score, ${tenantColumns}, CASE WHEN j.row_id IS NOT NULL THEN ${listed(readyColumns, 'j.')} END AS job, j.payload AS payload,
    t.ready > 1 AND EXISTS
    (SELECT 1 FROM millrace_job AS f WHERE f.queue = l.queue AND f.tenant = l.tenant AND f.state = 0 AND f.priority = l.priority
      AND (f.ready_at, f.row_id) > (j.ready_at, j.row_id)) AS followed
    FROM millrace_line AS l CROSS JOIN millrace_tenant AS t ON t.queue = l.queue AND t.name = l.tenant
    LEFT JOIN millrace_job AS j ON j.row_id = ${headOfLine}
    WHERE l.queue = ? AND l.priority = ? AND l.held = 0 ORDER BY l.score LIMIT ? OFFSET ?`,
  class: 'SELECT priority, since FROM millrace_class WHERE queue = ? AND priority = ?',
  classes: 'SELECT priority, since FROM millrace_class WHERE queue = ? ORDER BY turn, priority DESC LIMIT ? OFFSET ?',
  /** Values: queue, priority, since, turn. */
  saveClass: `INSERT INTO millrace_class (queue, priority, since, turn) VALUES (${marks(4)})
    ON CONFLICT (queue, priority) DO UPDATE SET since = excluded.since, turn = excluded.turn`,
  /** Values: queue, priorities. */
  removeClasses: 'DELETE FROM millrace_class WHERE queue = ? AND priority IN (SELECT value FROM json_each(?))',
  heldTenants: `SELECT ${tenantColumns} FROM millrace_tenant AS t INDEXED BY millrace_tenant_held WHERE t.queue = ? AND t.held = 1`,
  parkedBefore: `SELECT ${tenantColumns} FROM millrace_tenant AS t WHERE t.queue = ? AND t.parked_until <= ? ORDER BY t.parked_until LIMIT ?`,
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
    (SELECT ready_at FROM millrace_job WHERE queue = ?1 AND state = 1 AND ready_at > 0 ORDER BY ready_at LIMIT 1) AS delayed,
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
