import { type PgBouncer, startPgBouncer, startPostgres, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { describeAdapter } from '../../src/conformance.ts';
import { createQueue, defineJob, type Queue } from '../../src/index.ts';
import { completeInTransaction, postgresAdapter } from '../../src/postgres.ts';

// Through PgBouncer in transaction mode each transaction may come to another session of the server.

const work = defineJob('work', z.object({ n: z.number() }));
let server: Awaited<ReturnType<typeof startPostgres>>;
let bouncer: PgBouncer;

beforeAll(async () => {
  server = await startPostgres({ own: true });
  bouncer = await startPgBouncer(await server.createDatabase());
});
afterAll(async () => {
  await bouncer.stop();
  await server.stop();
});

function open(name: string, listen = false): Queue<readonly [typeof work]> {
  return createQueue({ adapter: postgresAdapter({ url: bouncer.url, listen }), jobs: [work], name });
}

async function transaction(pool: pg.Pool, body: (tx: pg.PoolClient) => Promise<void>, end = 'COMMIT'): Promise<void> {
  const client = await pool.connect();
  await client.query('BEGIN');
  await body(client);
  await client.query(end);
  client.release();
}

// LISTEN is heard in a session that is no longer ours: with it, too, workers find the jobs by asking.
test.each([false, true])('jobs of two processes are done, each once (listen: %s)', async (listen) => {
  await using first = open(`two-${listen}`, listen);
  await using second = open(`two-${listen}`, listen);
  const runs: number[] = [];
  for (const queue of [first, second]) {
    queue.work({ work: ({ payload }) => void runs.push(payload.n) }, { concurrency: 20, pollInterval: 50 });
  }
  const numbers = Array.from({ length: 400 }, (_, n) => n);
  await Promise.all(numbers.map((n) => (n % 2 === 0 ? first : second).enqueue('work', { n })));
  await waitFor(async () => {
    const { ready, leased } = await first.inspect.counts();
    return ready + leased === 0;
  });
  expect(runs.sort((a, b) => a - b)).toEqual(numbers);
});

test('jobs are enqueued and completed in transactions of the caller', async () => {
  const pool = new pg.Pool({ connectionString: bouncer.url });
  pool.on('error', () => undefined);
  await using queue = open('transactions');
  await transaction(pool, async (tx) => void (await queue.enqueue('work', { n: 1 }, { tx })));
  await transaction(pool, async (tx) => void (await queue.enqueue('work', { n: 2 }, { tx })), 'ROLLBACK');
  const completed: number[] = [];
  queue.work(
    {
      work: async ({ payload }, ctx) => {
        await transaction(pool, (tx) => completeInTransaction(tx, ctx, { queue: queue.name }));
        completed.push(payload.n);
      },
    },
    { pollInterval: 50 },
  );
  await waitFor(() => completed.length > 0, { what: 'the committed job' });
  const { ready, leased } = await queue.inspect.counts();
  expect([completed, ready, leased]).toEqual([[1], 0, 0]);
  await queue.close();
  await pool.end();
});

const withoutListen = (name: string, run: () => Promise<void>): void => {
  // Another connection is told by LISTEN only, which a pooler does not carry.
  it.skipIf(name.startsWith('the other connection hears'))(name, run);
};

// Half a minute: on demand (MILLRACE_PGBOUNCER=1), the tests above are those that a pooler can break.
if (process.env.MILLRACE_PGBOUNCER !== undefined) {
  describeAdapter(
    { afterAll, describe, it: withoutListen },
    {
      name: 'postgres through PgBouncer',
      create: async () => postgresAdapter({ url: bouncer.url, listen: false }),
      createSecond: () => postgresAdapter({ url: bouncer.url, listen: false }),
    },
  );
}
