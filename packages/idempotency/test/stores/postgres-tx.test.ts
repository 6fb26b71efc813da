import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createIdempotency, type Idempotency, IdempotencyDuplicateError, LeaseLostError } from '../../src/index.ts';
import { postgresStore, type SqlClient } from '../../src/postgres.ts';
import { freshPostgres } from './servers.ts';

let database: Awaited<ReturnType<typeof freshPostgres>>;
let idempotency: Idempotency<SqlClient>;
const request = { tenant: 'acme', operation: 'order', key: 'k1', input: { item: 'saw' } };

beforeAll(async () => {
  database = await freshPostgres();
  await database.pool.query('CREATE TABLE orders (id serial PRIMARY KEY, item text)');
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.pool.query('TRUNCATE orders, millrace_idempotency');
  idempotency = createIdempotency({ store: database.store, sweepInterval: false });
});

/** A transaction as an application opens it. */
async function transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await database.pool.connect();
  try {
    await client.query('BEGIN');
    const value = await work(client);
    await client.query('COMMIT');
    return value;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

const order = async (client: SqlClient): Promise<number> => {
  const { rows } = await client.query("INSERT INTO orders (item) VALUES ('saw') RETURNING id");
  return (rows[0] as { id: number }).id;
};
const orders = async (): Promise<number> =>
  Number((await database.pool.query<{ n: string }>('SELECT count(*) AS n FROM orders')).rows[0]?.n);

describe('tx', () => {
  test('key, rows and result are committed together', async () => {
    const first = await transaction((client) => idempotency.tx(client, request, order));
    const second = await transaction((client) => idempotency.tx(client, request, order));
    expect(second).toEqual({ value: first.value, replayed: true, bypassed: false });
    expect(await orders()).toBe(1);
  });

  test('a rollback leaves neither the key nor the rows', async () => {
    const failing = transaction((client) =>
      idempotency.tx(client, request, async (tx) => {
        await order(tx);
        throw new Error('no stock');
      }),
    );
    await expect(failing).rejects.toThrow('no stock');
    expect(await orders()).toBe(0);
    expect(await idempotency.peek(request)).toBeUndefined();
    expect(await transaction((client) => idempotency.tx(client, request, order))).toMatchObject({ replayed: false });
  });

  test('a commit in spite of an error leaves the key free', async () => {
    await transaction(async (client) => {
      await idempotency.tx(client, request, () => Promise.reject(new Error('no'))).catch(() => undefined);
    });
    expect(await idempotency.peek(request)).toMatchObject({ state: 'retryable' });
    expect(await transaction((client) => idempotency.tx(client, request, order))).toMatchObject({ replayed: false });
  });

  test('50 concurrent transactions: one executes, the others get its value', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, () => transaction((client) => idempotency.tx(client, request, order))),
    );
    expect(await orders()).toBe(1);
    expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(results.map(({ value }) => value)).size).toBe(1);
  });

  test('a refused duplicate carries the first value', async () => {
    const first = await transaction((client) => idempotency.tx(client, request, order));
    const again = transaction((client) => idempotency.tx(client, { ...request, duplicates: 'reject' }, order));
    const error = await again.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(IdempotencyDuplicateError);
    expect(error).toMatchObject({ value: first.value });
  });

  test('works with anything that has query(text, values)', async () => {
    const only = { query: (text: string, values?: unknown[]) => database.pool.query(text, values) };
    const own = createIdempotency({ store: postgresStore({ pool: only }), sweepInterval: false });
    expect(await own.run(request, () => 1)).toMatchObject({ value: 1, replayed: false });
    expect(await own.tx(only, request, () => 2)).toMatchObject({ value: 1, replayed: true });
    const phased = own.run({ ...request, key: 'k2' }, ({ phase }) => phase('a', () => 1));
    await expect(phased).rejects.toThrow('pool.connect()');
  });
});

describe('phases', () => {
  test('what a phase writes is committed with it, once', async () => {
    const attempt = (fail: boolean) =>
      idempotency.run(request, async ({ phase }) => {
        const id = await phase('order', order);
        if (fail) throw new Error('mail server down');
        return id;
      });
    await expect(attempt(true)).rejects.toThrow('mail server down');
    await attempt(false);
    expect(await orders()).toBe(1);
  });

  test('a zombie cannot commit a phase', async () => {
    const slow = { ...request, lease: 50, heartbeat: false } as const;
    let zombie: Promise<unknown> = Promise.resolve();
    const first = idempotency.run(slow, async ({ phase }) => {
      await new Promise((resolve) => setTimeout(resolve, 80));
      await idempotency.run(request, () => 'live');
      zombie = phase('order', order);
      return zombie;
    });
    await expect(first).rejects.toThrow(LeaseLostError);
    await expect(zombie).rejects.toThrow(LeaseLostError);
    expect(await orders()).toBe(0);
    expect(await idempotency.peek(request)).toMatchObject({ value: 'live', attempt: 2 });
  });

  test('a phase whose connection is lost fails, and the process goes on', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.prependListener('uncaughtException', note);
    try {
      const phased = idempotency.run(request, ({ phase }) =>
        phase('order', async (client) => {
          const { pid } = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0] as { pid: number };
          await database.pool.query('SELECT pg_terminate_backend($1)', [pid]);
          const gone = () => database.pool.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid]);
          while ((await gone()).rows.length > 0);
          await new Promise((resolve) => setTimeout(resolve, 50)); // the news of it is on its way to this side
          return await order(client);
        }),
      );
      await expect(phased).rejects.toThrow();
      expect(uncaught).toEqual([]);
    } finally {
      process.removeListener('uncaughtException', note);
    }
    expect(await idempotency.run(request, ({ phase }) => phase('order', order))).toMatchObject({ replayed: false });
    expect(await orders()).toBe(1);
  });
});
