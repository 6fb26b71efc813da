import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { createLoop } from '../loop.ts';
import type { Database } from './schema.ts';

/** Runs a query that may see the database as it was a moment ago. */
export type Read = <T>(query: (db: Kysely<Database>) => Promise<T>) => Promise<T>;

export interface ReplicaOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly primary: Kysely<Database>;
  /** Milliseconds that the replica may be behind. */
  readonly maxLag: number;
  /** Told whenever the replica begins or ceases to be read. */
  readonly onChange: (usable: boolean) => void;
  /** Milliseconds between two looks at it. @default a quarter of `maxLag` */
  readonly interval?: number;
}

export interface Replica {
  readonly read: Read;
  close(): Promise<void>;
}

/** Positions of the primary that are remembered, to tell by them how old the replica's state is. */
const maxMarks = 64;
/** Milliseconds that a look may take. */
const lookTimeout = 2_000;

/**
 * Reads from a standby while it is close behind the primary, else from the primary. How far it is behind is told by
 * positions in the WAL that the primary had at known times: a standby that lost its primary would by its own account be
 * up to date for ever.
 */
export function openReplica(options: ReplicaOptions): Replica {
  const { primary, maxLag, interval = maxLag / 4 } = options;
  const { db, destroy } = connect(options);
  const marks: { readonly at: number; readonly position: bigint }[] = [];
  let freshAt = Number.NEGATIVE_INFINITY;
  let usable = false;

  const judge = (): boolean => {
    const now = performance.now() - freshAt <= maxLag;
    if (now !== usable) options.onChange(now);
    usable = now;
    return usable;
  };
  const look = async (): Promise<void> => {
    const at = performance.now();
    marks.push({ at, position: await positionOf(primary, sql`pg_current_wal_lsn()`) });
    if (marks.length > maxMarks) marks.shift();
    const replayed = await positionOf(db, sql`CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END`);
    for (const mark of marks) if (mark.position <= replayed) freshAt = Math.max(freshAt, mark.at);
    judge();
  };
  const loop = createLoop({ interval, turn: look, onError: () => void judge() });
  return {
    async read(query) {
      if (!judge()) return await query(primary);
      try {
        return await query(db);
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        freshAt = Number.NEGATIVE_INFINITY;
        judge();
        return await query(primary);
      }
    },
    async close() {
      await loop.stop();
      await destroy();
    },
  };
}

function connect({ url, poolSize }: ReplicaOptions): { db: Kysely<Database>; destroy: () => Promise<void> } {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'millrace reads',
    connectionTimeoutMillis: lookTimeout,
    options: '-c default_transaction_read_only=on',
  });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  return { db, destroy: () => db.destroy() };
}

/** A server that is no standby (any more) has no position: it may go its own way. */
async function positionOf(db: Kysely<Database>, position: ReturnType<typeof sql>): Promise<bigint> {
  const { rows } = await sql<{ bytes: string | null }>`SELECT (${position} - '0/0'::pg_lsn)::text AS bytes`.execute(db);
  return BigInt(rows[0]?.bytes ?? -1);
}

/** A statement that the standby itself refused is asked of the primary, too: 40001 is its conflict with recovery. */
function isConnectionLoss(error: unknown): boolean {
  const { code, severity } = error as { readonly code?: string; readonly severity?: string };
  return severity === undefined || code === '40001' || /^(08|57P)/.test(code ?? '');
}
