import { storeTests } from '@millrace/ratelimit/conformance';
import { type PostgresStore, postgresStore } from '@millrace/ratelimit/postgres';
import { type PostgresServer, startPostgres } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let server: PostgresServer;
let pool: pg.Pool;
let store: PostgresStore;

beforeAll(async () => {
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 8 });
  // The server ends before the last connection has closed.
  pool.on('error', () => {});
  store = postgresStore({ pool });
  await Promise.all([store.migrate(), store.migrate()]);
});

afterAll(async () => {
  await pool.end();
  await server.stop();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

storeTests({ describe, it }, 'postgres', async () => ({ store, advance: sleep, close: async () => {} }));

describe('postgres', () => {
  it('gives its connection back when an operation fails', async () => {
    const broken = { key: 'x', cap: Number.NaN, keepMs: Number.NaN };
    await expect(store.ledger.hold('broken', '1', [broken], 1, 1)).rejects.toThrow();
    expect(pool.idleCount).toBe(pool.totalCount);
    expect(await store.peers.beat('after', 'a', 1_000)).toBe(1);
  });

  it('fails an operation whose connection is lost between two statements, and the process goes on', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.prependListener('uncaughtException', note);
    try {
      const cut = postgresStore({ pool: { connect: () => cutAfterBegin(), query: (...call) => pool.query(...call) } });
      await expect(cut.peers.beat('cut', 'a', 1_000)).rejects.toThrow();
      expect(uncaught).toEqual([]);
    } finally {
      process.removeListener('uncaughtException', note);
    }
    expect(await store.peers.beat('cut', 'b', 1_000)).toBe(1);
  });
});

/** A client of the pool whose connection the server ends after BEGIN, before the next statement is sent. */
async function cutAfterBegin(): Promise<pg.PoolClient> {
  const client = await pool.connect();
  const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>;
  const cut = async (text: string, values?: unknown[]): Promise<pg.QueryResult> => {
    const answer = await query(text, values);
    if (text !== 'BEGIN') return answer;
    const lost = new Promise((resolve) => client.once('end', resolve));
    const { rows } = await query('SELECT pg_backend_pid() AS pid');
    await pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    await lost;
    return answer;
  };
  return Object.assign(client, { query: cut });
}
