import { startPostgres } from '@millrace/test-support';
import pg from 'pg';
import { type StoreSample, soakStore } from '../shared/soak.ts';

/** The soak on PostgreSQL: tables and indexes must stay as small as what waits. @returns whether every job was done */
export async function soak(total: number): Promise<boolean> {
  await using server = await startPostgres({ own: true, settings: { shared_buffers: '256MB', max_wal_size: '2GB' } });
  const url = await server.createDatabase();
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on('error', () => undefined);
  const whole = await soakStore(url, total, () => look(pool));
  await pool.end();
  return whole;
}

const sizes = `
  SELECT round(sum(pg_table_size(relid)) / 1e6)::int AS "tablesMb", round(sum(pg_indexes_size(relid)) / 1e6)::int AS "indexesMb",
    sum(n_dead_tup)::int AS "deadRows", (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()) AS connections
  FROM pg_stat_user_tables`;

async function look(pool: pg.Pool): Promise<StoreSample> {
  const { rows } = await pool.query<StoreSample>(sizes);
  return rows[0] ?? {};
}
