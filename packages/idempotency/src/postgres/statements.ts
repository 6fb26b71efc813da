/** One statement per step of the machine (see `machine.ts`, which says the same in TypeScript). */
export interface Statements {
  readonly begin: string;
  readonly extend: string;
  readonly checkpoint: string;
  readonly complete: string;
  readonly release: string;
  readonly resolve: string;
  readonly read: string;
  readonly list: string;
  readonly forget: string;
  readonly deleteExpired: string;
  readonly parkDead: string;
}

/** Milliseconds since 1970, by the server, moving within a transaction. */
const nowMs = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Listed, not `*`: a driver may keep a statement prepared, and then its columns must stay what they are when a newer version adds one. */
const columns = (row: string): string =>
  [
    'tenant',
    'operation',
    'key',
    'state',
    'fingerprint',
    'fence',
    'owner',
    'attempt',
    'taken_over',
    'on_expired',
    'phases',
    'result',
  ]
    .concat('created_at', 'updated_at', 'lease_until', 'expires_at')
    .map((name) => `${row}.${name}`)
    .join(', ');

/** Kept although its time is over: what is parked or must be. */
const kept = (row: string): string =>
  `(${row}.state = 'parked' OR (${row}.state = 'running' AND ${row}.on_expired = 'park'))`;

const expired = (row: string, now: string): string => `(${row}.expires_at <= ${now} AND NOT ${kept(row)})`;

const dead = (row: string, now: string): string => `(${row}.state = 'running' AND ${row}.lease_until <= ${now})`;

/** Writes the statements for one table. */
export function statements(table: string): Statements {
  const held = `r.tenant = $1 AND r.operation = $2 AND r.key = $3 AND r.fence = $4 AND r.state = 'running'
    AND NOT ${expired('r', nowMs)}`;
  return {
    begin: beginStatement(table),
    extend: `UPDATE ${table} r SET lease_until = ${nowMs} + $5::bigint, expires_at = ${nowMs} + $5::bigint + $6::bigint
      WHERE ${held} RETURNING 1`,
    checkpoint: `UPDATE ${table} r SET phases = r.phases || jsonb_build_object($5::text, $6::text)
      WHERE ${held} RETURNING 1`,
    complete: `UPDATE ${table} r SET state = 'done', result = $5, updated_at = ${nowMs}, lease_until = ${nowMs},
      expires_at = ${nowMs} + $6::bigint WHERE ${held} RETURNING 1`,
    release: `UPDATE ${table} r SET state = $5, updated_at = ${nowMs}, lease_until = ${nowMs},
      expires_at = ${nowMs} + $6::bigint WHERE ${held} RETURNING 1`,
    resolve: `UPDATE ${table} r SET state = $5, result = $6, updated_at = ${nowMs}, expires_at = ${nowMs} + $7::bigint
      WHERE r.tenant = $1 AND r.operation = $2 AND r.key = $3 AND r.fence = $4 AND r.state = 'parked' RETURNING 1`,
    read: `SELECT * FROM ${table} r WHERE r.tenant = $1 AND r.operation = $2 AND r.key = $3
      AND NOT ${expired('r', nowMs)}`,
    list: `SELECT * FROM ${table} r WHERE ($1::text IS NULL OR r.tenant = $1) AND ($2::text IS NULL OR r.state = $2)
      AND NOT ${expired('r', nowMs)} ORDER BY r.updated_at LIMIT $3`,
    forget: `WITH gone AS (DELETE FROM ${table} WHERE tenant = $1 RETURNING 1) SELECT count(*) AS count FROM gone`,
    deleteExpired: `WITH old AS (
        SELECT tenant, operation, key FROM ${table} r
        WHERE r.expires_at <= ${nowMs} AND r.state <> 'parked' AND NOT ${kept('r')} LIMIT $1 FOR UPDATE SKIP LOCKED
      ), gone AS (
        DELETE FROM ${table} r USING old
        WHERE r.tenant = old.tenant AND r.operation = old.operation AND r.key = old.key RETURNING 1
      ) SELECT count(*) AS count FROM gone`,
    parkDead: `WITH old AS (
        SELECT tenant, operation, key FROM ${table} r
        WHERE r.state = 'running' AND r.on_expired = 'park' AND r.lease_until <= ${nowMs}
        LIMIT $1 FOR UPDATE SKIP LOCKED
      ), moved AS (
        UPDATE ${table} r SET state = 'parked', updated_at = ${nowMs} FROM old
        WHERE r.tenant = old.tenant AND r.operation = old.operation AND r.key = old.key RETURNING 1
      ) SELECT count(*) AS count FROM moved`,
  };
}

/**
 * Claims a key or tells what stands there, in one statement: `standing` is what keeps the caller out (a plain read: a replay writes
 * nothing), `begun` inserts or takes over. No row comes back when another transaction committed between this statement's snapshot and
 * its row lock; asked again, the statement sees that row.
 */
function beginStatement(table: string): string {
  const over = expired('r', 'EXCLUDED.updated_at');
  const died = dead('r', 'EXCLUDED.updated_at');
  const parks = `(NOT ${over} AND ${died} AND r.on_expired = 'park')`;
  return `WITH clock AS MATERIALIZED (
      SELECT floor(extract(epoch FROM t) * 1000)::bigint AS ms, floor(extract(epoch FROM t) * 1000000)::bigint AS us
      FROM (SELECT clock_timestamp() AS t) AS one
    ), standing AS (
      SELECT r.* FROM ${table} r, clock
      WHERE r.tenant = $1 AND r.operation = $2 AND r.key = $3 AND NOT ${expired('r', 'clock.ms')}
        AND (r.fingerprint <> $4 OR (r.state <> 'retryable' AND NOT ${dead('r', 'clock.ms')}))
    ), begun AS (
      INSERT INTO ${table} AS r (tenant, operation, key, state, fingerprint, fence, owner, attempt, taken_over,
        on_expired, phases, result, created_at, updated_at, lease_until, expires_at)
      SELECT $1, $2, $3, 'running', $4, us, $5, 1, false, $6, '{}'::jsonb, NULL, ms, ms,
        ms + $7::bigint, ms + $7::bigint + $8::bigint
      FROM clock WHERE NOT EXISTS (SELECT FROM standing)
      ON CONFLICT (tenant, operation, key) DO UPDATE SET
        state = CASE WHEN ${parks} THEN 'parked' ELSE 'running' END,
        fingerprint = EXCLUDED.fingerprint,
        fence = CASE WHEN ${parks} THEN r.fence ELSE greatest(r.fence + 1, EXCLUDED.fence) END,
        owner = CASE WHEN ${parks} THEN r.owner ELSE EXCLUDED.owner END,
        attempt = CASE WHEN ${over} THEN 1 WHEN ${parks} THEN r.attempt ELSE r.attempt + 1 END,
        taken_over = NOT ${over} AND NOT ${parks} AND r.state = 'running',
        on_expired = CASE WHEN ${parks} THEN r.on_expired ELSE EXCLUDED.on_expired END,
        phases = CASE WHEN ${over} THEN EXCLUDED.phases ELSE r.phases END,
        result = NULL,
        created_at = CASE WHEN ${over} THEN EXCLUDED.created_at ELSE r.created_at END,
        updated_at = EXCLUDED.updated_at,
        lease_until = CASE WHEN ${parks} THEN r.lease_until ELSE EXCLUDED.lease_until END,
        expires_at = CASE WHEN ${parks} THEN r.expires_at ELSE EXCLUDED.expires_at END
      WHERE ${over} OR (r.fingerprint = EXCLUDED.fingerprint AND (r.state = 'retryable' OR ${died}))
      RETURNING ${columns('r')}
    )
    SELECT true AS written, clock.ms AS now, ${columns('begun')} FROM begun, clock
    UNION ALL SELECT false, clock.ms, ${columns('standing')} FROM standing, clock`;
}
