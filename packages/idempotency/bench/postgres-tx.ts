import { randomUUID } from 'node:crypto';
import { createIdempotency } from '@millrace/idempotency';
import { postgresStore, type SqlClient } from '@millrace/idempotency/postgres';
import { startPostgres } from '@millrace/test-support';
import pg from 'pg';
import { type Bench, median, rounded, throughput } from './result.ts';

const request = (key: string) => ({ tenant: 't', operation: 'order', key, input: { item: 'saw', amount: 2 } });
const response = { id: 1, text: 'y'.repeat(180) };
const business = (client: SqlClient) => client.query("INSERT INTO orders (item) VALUES ('saw')");

/** Key, business row and response: three commits (`run`) against one (`tx`), on a server that writes through to the disk. */
export const postgresTx: Bench = {
  metrics: ['postgres.tx'],
  async run({ quick }) {
    await using server = await startPostgres({ own: true, fsync: true });
    const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 1 });
    pool.on('error', () => undefined);
    const store = postgresStore({ pool });
    await store.migrate();
    await pool.query('CREATE TABLE orders (id serial PRIMARY KEY, item text)');
    const idempotency = createIdempotency({ store, sweepInterval: false });
    const forms = {
      tx: async (): Promise<void> => {
        const client = await pool.connect();
        await client.query('BEGIN');
        await idempotency.tx(client, request(randomUUID()), async (tx) => {
          await business(tx);
          return response;
        });
        await client.query('COMMIT');
        client.release();
      },
      steps: async (): Promise<void> => {
        await idempotency.run(request(randomUUID()), async () => {
          await business(pool);
          return response;
        });
      },
    };
    const seen = { tx: [] as number[], steps: [] as number[] };
    const total = quick ? 200 : 1000;
    for (let round = 0; round < (quick ? 5 : 11); round += 1) {
      for (const form of ['tx', 'steps'] as const) seen[form].push(await throughput(total, 1, forms[form]));
    }
    await pool.end();
    const ratio = median(seen.tx.map((value, round) => value / (seen.steps[round] ?? Number.NaN)));
    return [
      {
        metric: 'postgres.tx',
        ours: Math.round(median(seen.tx)),
        peer: Math.round(median(seen.steps)),
        peerName: 'the same in steps: key, row and response committed one by one',
        unit: 'operations/s, c=1',
        ratio: rounded(ratio),
      },
    ];
  },
};
