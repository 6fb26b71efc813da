import type { CacheStore } from '../store.ts';
import type { PostgresPool } from './client.ts';

const read = `SELECT value FROM millrace_cache WHERE name = $1 AND expires > clock_timestamp()`;
const write = `INSERT INTO millrace_cache (name, value, expires) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires = excluded.expires`;
const drop = `DELETE FROM millrace_cache WHERE name = $1`;
const take = `INSERT INTO millrace_cache (name, value, expires) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires = excluded.expires
  WHERE millrace_cache.expires <= clock_timestamp() OR millrace_cache.value = excluded.value RETURNING name`;
const giveBack = `DELETE FROM millrace_cache WHERE name = $1 AND value = $2`;
const sweep = `DELETE FROM millrace_cache WHERE name IN
  (SELECT name FROM millrace_cache WHERE expires < now() LIMIT 100 FOR UPDATE SKIP LOCKED)`;

/** One in so many writes also deletes what has expired. */
const sweepEvery = 200;

/** Cached bytes in PostgreSQL: every operation is one statement. */
export function postgresCache(pool: PostgresPool): CacheStore {
  let writes = 0;
  return {
    async get(key) {
      const value = (await pool.query(read, [key])).rows[0]?.value;
      return value instanceof Uint8Array ? value : undefined;
    },
    async set(key, value, ttlMs) {
      await pool.query(write, [key, Buffer.from(value), ttlMs]);
      writes += 1;
      if (writes % sweepEvery === 0) await pool.query(sweep);
    },
    async delete(key) {
      await pool.query(drop, [key]);
    },
    async lock(key, id, leaseMs) {
      return (await pool.query(take, [`lock/${key}`, Buffer.from(id), leaseMs])).rows.length === 1;
    },
    async unlock(key, id) {
      await pool.query(giveBack, [`lock/${key}`, Buffer.from(id)]);
    },
  };
}
