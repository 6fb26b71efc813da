import { InvalidOptionError } from './errors.ts';
import type { SqlClient, SqlPool, SqlResult } from './postgres/client.ts';
import { type BeginRow, type RecordRow, toRecord } from './postgres/rows.ts';
import { checkTable, defaultTable, postgresSchema } from './postgres/schema.ts';
import { type Statements, statements } from './postgres/statements.ts';
import type { RecordKey } from './record.ts';
import type { BeginRequest, BeginResult, IdempotencyStore } from './store.ts';

export type { PooledSqlClient, SqlClient, SqlPool, SqlResult } from './postgres/client.ts';
export { postgresSchema } from './postgres/schema.ts';

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /** A `pg` Pool, or anything with `query(text, values)`; transactional phases also need `connect()`. Stays yours to close. */
  readonly pool: SqlPool;
  /**
   * The table, lower case, with its schema where it is not on the search path.
   * @default 'millrace_idempotency'
   */
  readonly table?: string;
}

/** A store whose records can be committed together with the caller's rows. */
export interface PostgresStore extends IdempotencyStore<SqlClient> {
  /** Makes the table and its indexes where they are missing. */
  migrate(): Promise<void>;
}

/** How often `begin` asks again when other transactions commit in between; each round, one of them has made progress. */
const maxRounds = 20;

/**
 * Keeps records in PostgreSQL (13 or newer): one statement per step, by the server's clock.
 *
 * @example
 * ```ts
 * const store = postgresStore({ pool: new Pool({ connectionString: process.env.DATABASE_URL }) });
 * await store.migrate();
 * const idempotency = createIdempotency({ store });
 * ```
 * @throws InvalidOptionError for a table name that would need quoting
 */
export function postgresStore({ pool, table = defaultTable }: PostgresStoreOptions): PostgresStore {
  const sql = statements(checkTable(table));
  return {
    ...stepsOver(pool, sql),
    async migrate() {
      await pool.query(postgresSchema(table));
    },
    within: (client) => stepsOver(client, sql),
    transaction: (work) => inTransaction(pool, work),
  };
}

function stepsOver(client: SqlClient, sql: Statements): IdempotencyStore<SqlClient> {
  const written = async (text: string, key: RecordKey, ...values: unknown[]): Promise<boolean> =>
    (await client.query(text, [key.tenant, key.operation, key.key, ...values])).rows.length > 0;
  return {
    name: 'postgres',
    capabilities: { transactions: true, durable: true, shared: true },
    begin: (key, request) => begin(client, sql.begin, key, request),
    extend: (key, fence, { lease, ttl }) => written(sql.extend, key, fence, lease, ttl),
    checkpoint: (key, fence, phase, value) => written(sql.checkpoint, key, fence, phase, value),
    complete: (key, fence, result, ttl) => written(sql.complete, key, fence, result, ttl),
    release: (key, fence, state, ttl) => written(sql.release, key, fence, state, ttl),
    resolve: (key, fence, resolution) => {
      const result = resolution.state === 'done' ? resolution.result : null;
      return written(sql.resolve, key, fence, resolution.state, result, resolution.ttl);
    },
    async read(key) {
      const { rows } = await client.query(sql.read, [key.tenant, key.operation, key.key]);
      const row = rows[0] as RecordRow | undefined;
      return row && toRecord(row);
    },
    async list({ tenant, state, limit }) {
      const { rows } = await client.query(sql.list, [tenant ?? null, state ?? null, limit]);
      return rows.map((row) => toRecord(row as RecordRow));
    },
    forget: async (tenant) => countOf(await client.query(sql.forget, [tenant])),
    async sweep(limit) {
      const deleted = countOf(await client.query(sql.deleteExpired, [limit]));
      const parked = countOf(await client.query(sql.parkDead, [limit]));
      return { deleted, parked };
    },
    close: async () => undefined,
  };
}

async function begin(client: SqlClient, text: string, key: RecordKey, request: BeginRequest): Promise<BeginResult> {
  const { fingerprint, owner, onExpiredLease, lease, ttl } = request;
  const values = [key.tenant, key.operation, key.key, fingerprint, owner, onExpiredLease, lease, ttl];
  for (let round = 0; round < maxRounds; round += 1) {
    const { rows } = await client.query(text, values);
    const row = rows[0] as BeginRow | undefined;
    if (row) return answer(row, fingerprint);
  }
  throw new Error(
    `${maxRounds} transactions in a row changed this record; use READ COMMITTED and fewer callers per key.`,
  );
}

function answer(row: BeginRow, fingerprint: string): BeginResult {
  const record = toRecord(row);
  const now = Number(row.now);
  if (row.written && record.state === 'running') return { status: 'acquired', record, takenOver: row.taken_over, now };
  return { status: record.fingerprint === fingerprint ? 'existing' : 'mismatch', record, now };
}

function countOf({ rows }: SqlResult): number {
  return Number((rows[0] as { readonly count: string | number } | undefined)?.count ?? 0);
}

async function inTransaction<T>(pool: SqlPool, work: (client: SqlClient) => Promise<T>): Promise<T> {
  if (!pool.connect) {
    throw new InvalidOptionError('Phases need `pool.connect()` to open a transaction: pass a pg Pool, or use tx().');
  }
  const client = await pool.connect();
  client.on?.('error', nothing);
  let broken = true;
  try {
    await client.query('BEGIN');
    try {
      const value = await work(client);
      await client.query('COMMIT');
      broken = false;
      return value;
    } catch (error) {
      await client.query('ROLLBACK');
      broken = false;
      throw error;
    }
  } finally {
    client.off?.('error', nothing);
    client.release(broken);
  }
}

/** The next statement of a connection that was lost fails, which is all that its transaction must know. */
function nothing(): void {}
