import { startPostgres, startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type PostgresStore, postgresStore } from '../../src/postgres.ts';

/** A PostgreSQL store on a database of its own. */
export async function freshPostgres(): Promise<
  AsyncDisposable & { readonly pool: pg.Pool; readonly store: PostgresStore; readonly url: string }
> {
  const server = await startPostgres();
  const url = await server.createDatabase();
  const pool = new pg.Pool({ connectionString: url, max: 20 });
  // Connections that linger in the pool are cut when the server stops.
  pool.on('error', () => undefined);
  const store = postgresStore({ pool });
  await store.migrate();
  return {
    pool,
    store,
    url,
    [Symbol.asyncDispose]: async () => {
      await pool.end();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A Redis of this test's own, with a client. */
export async function freshRedis(): Promise<AsyncDisposable & { readonly redis: Redis; readonly url: string }> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  return {
    redis,
    url: server.url,
    [Symbol.asyncDispose]: async () => {
      redis.disconnect();
      await server[Symbol.asyncDispose]();
    },
  };
}
