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
});
