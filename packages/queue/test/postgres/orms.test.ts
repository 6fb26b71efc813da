import { startPostgres } from '@millrace/test-support';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createQueue, defineJob, type Queue } from '../../src/index.ts';
import { postgresAdapter, type SqlClient } from '../../src/postgres.ts';

// The snippets of docs/adapters/postgres.md, each run with its library: a row of the caller and a job, in one transaction.

const work = defineJob('work', z.object({ n: z.number() }));
/** Runs `body` in a transaction that first inserts a customer; `tx` is what is given to enqueue(). */
type InTransaction = (customer: string, body: (tx: SqlClient) => Promise<void>) => Promise<void>;

let server: Awaited<ReturnType<typeof startPostgres>>;
let pool: pg.Pool;
let queue: Queue<readonly [typeof work]>;

beforeAll(async () => {
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 5 });
  pool.on('error', () => undefined);
  await pool.query('CREATE TABLE customer (name text PRIMARY KEY)');
  queue = createQueue({ adapter: postgresAdapter({ pool }), jobs: [work] });
  await queue.ready();
});
afterAll(async () => {
  await queue.close();
  await pool.end();
  await server.stop();
});

const withPg: InTransaction = async (customer, body) => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('INSERT INTO customer VALUES ($1)', [customer]);
    await body(client);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
};

const withKysely: InTransaction = async (customer, body) => {
  const db = new Kysely<{ customer: { name: string } }>({ dialect: new PostgresDialect({ pool }) });
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('customer').values({ name: customer }).execute();
    const tx = { query: (text: string, values: unknown[] = []) => trx.executeQuery(CompiledQuery.raw(text, values)) };
    await body(tx);
  });
};

const withDrizzle: InTransaction = async (customer, body) => {
  await drizzle(pool).transaction(async (trx) => {
    await trx.execute(sql`INSERT INTO customer VALUES (${customer})`);
    const { client: tx } = trx._.session as unknown as { client: SqlClient };
    await body(tx);
  });
};

describe.each([
  ['pg', withPg],
  ['kysely', withKysely],
  ['drizzle', withDrizzle],
])('enqueue in a transaction of %s', (library, inTransaction) => {
  const customers = async (): Promise<number> =>
    (await pool.query('SELECT FROM customer WHERE name LIKE $1', [`${library}%`])).rowCount ?? 0;

  test('row and job are there after the commit', async () => {
    const id = `${library}-kept`;
    await inTransaction(id, async (tx) => {
      await queue.enqueue('work', { n: 1 }, { tx, id });
      expect(await queue.inspect.job(id)).toBeUndefined();
    });
    expect((await queue.inspect.job(id))?.payload).toEqual({ n: 1 });
    expect(await customers()).toBe(1);
  });

  test('neither is there after a rollback', async () => {
    const id = `${library}-gone`;
    const failing = inTransaction(id, async (tx) => {
      await queue.enqueue('work', { n: 2 }, { tx, id });
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await queue.inspect.job(id)).toBeUndefined();
    expect(await customers()).toBe(1);
  });
});
