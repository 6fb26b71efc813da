import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { postgresSchema, postgresStore } from '../../src/postgres.ts';
import { freshPostgres } from './servers.ts';

let database: Awaited<ReturnType<typeof freshPostgres>>;
beforeAll(async () => {
  database = await freshPostgres();
});
afterAll(() => database[Symbol.asyncDispose]());

storeConformance({ describe, test }, { name: 'postgres', open: () => postgresStore({ pool: database.pool }) });

describe('postgresStore', () => {
  test('migrates once, from many processes at the same time', async () => {
    const store = postgresStore({ pool: database.pool, table: 'public.other_keys' });
    await Promise.all(Array.from({ length: 8 }, () => store.migrate()));
    expect(await store.read({ tenant: 'a', operation: 'b', key: 'c' })).toBeUndefined();
  });

  test('refuses table names that would need quoting', () => {
    expect(() => postgresStore({ pool: database.pool, table: 'a; DROP TABLE b' })).toThrow('lower-case SQL name');
    expect(() => postgresSchema('Keys')).toThrow('lower-case SQL name');
  });

  test('a replay writes nothing', async () => {
    const { pool, store } = database;
    const key = { tenant: 'acme', operation: 'read-only', key: 'k' };
    const request = { fingerprint: 'f', owner: 'o', onExpiredLease: 'takeover', lease: 1e6, ttl: 1e6 } as const;
    const { record } = await store.begin(key, request);
    await store.complete(key, record.fence, 'r', 1e6);
    const version = async () =>
      (await pool.query("SELECT ctid, xmin, xmax FROM millrace_idempotency WHERE operation = 'read-only'")).rows;
    const before = await version();
    await store.begin(key, request);
    expect(await version()).toEqual(before);
  });
});
