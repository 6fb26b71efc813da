import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, startPostgresStandby, startProxy, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { postgresAdapter, type SqlPool } from '../../src/postgres.ts';
import { openMill } from '../faults/mill.ts';

// Each fault ends with every accepted job done, no job acked twice (but by a crash that undid the ack), and no effect under a stale fence.

const servers: { stop(): Promise<void> }[] = [];
afterAll(async () => {
  for (const server of servers) await server.stop();
});

async function startOwn(settings: Record<string, string> = {}) {
  const server = await startPostgres({ own: true, settings });
  servers.push(server);
  return server;
}

async function run(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

/** Takes a connection away from the queue, however long that takes. */
async function take(pool: pg.Pool): Promise<pg.PoolClient> {
  for (;;) {
    const client = await pool.connect().catch(() => undefined);
    if (client !== undefined) return client;
  }
}

test('restart and crash: nothing accepted is lost, and fences go on above all that were given', {
  timeout: 60_000,
}, async () => {
  const server = await startOwn();
  await using mill = openMill(server.url);
  const fences: number[] = [];
  mill.startWorker({
    handler: async (_job, { fence }) => {
      fences.push(fence);
      await sleep(5);
    },
  });
  const first = mill.enqueueAll(200, 'first');
  await waitFor(() => mill.ledger.runs.size > 10);
  await server.restart();
  const second = mill.enqueueAll(200, 'second');
  await waitFor(() => mill.ledger.runs.size > 100);
  await server.crash();
  await server.restart();
  await mill.untilDone([...(await first), ...(await second)], 40_000);
  expect(mill.ledger.staleEffects).toBe(0);
  expect(new Set(fences).size).toBe(fences.length);
});

test('pg_terminate_backend of every connection, again and again', { timeout: 60_000 }, async () => {
  const server = await startOwn();
  const url = await server.createDatabase();
  await using mill = openMill(url);
  const worker = mill.startWorker({ handler: () => sleep(2) });
  const enqueueing = mill.enqueueAll(300);
  for (let round = 0; round < 10; round += 1) {
    await sleep(60);
    await run(
      url,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
  }
  await mill.untilDone(await enqueueing);
  await waitFor(() => worker.health().status === 'ok', { what: 'the worker to be well again' });
  expect(mill.ledger.staleEffects).toBe(0);
});

test('a pool without a free connection: calls wait or fail, and the work is done when there is one', {
  timeout: 60_000,
}, async () => {
  const server = await startOwn();
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 2, connectionTimeoutMillis: 300 });
  pool.on('error', () => undefined);
  await using mill = openMill(postgresAdapter({ pool, listen: false }));
  const worker = mill.startWorker({ handler: () => sleep(2) });
  const ids = await mill.enqueueAll(20, 'before');
  const taken = [await take(pool), await take(pool)];
  const enqueueing = mill.enqueueAll(20, 'during');
  await waitFor(() => worker.health().lastError !== undefined, {
    what: 'the worker to say that its store does not answer',
  });
  for (const client of taken) client.release();
  await mill.untilDone([...ids, ...(await enqueueing)]);
  await waitFor(() => worker.health().status === 'ok', { what: 'the worker to be well again' });
  await mill[Symbol.asyncDispose]();
  await pool.end();
});

test('a disk that is full for a while: refused calls are tried again', { timeout: 60_000 }, async () => {
  const server = await startOwn();
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 5 });
  pool.on('error', () => undefined);
  let full = false;
  // A file system cannot be filled without harming the tests beside this one: the driver says what the server would.
  const fills: SqlPool = {
    connect: () => pool.connect(),
    query: (text, values) =>
      full
        ? Promise.reject(Object.assign(new Error('could not extend file: No space left on device'), { code: '53100' }))
        : pool.query(text, values),
  };
  await using mill = openMill(postgresAdapter({ pool: fills }));
  const worker = mill.startWorker({ handler: () => sleep(2) });
  const ids = await mill.enqueueAll(50, 'before');
  full = true;
  const enqueueing = mill.enqueueAll(50, 'during');
  await waitFor(() => worker.health().lastError !== undefined, { what: 'the worker to say so' });
  full = false;
  await mill.untilDone([...ids, ...(await enqueueing)]);
  expect(mill.ledger.staleEffects).toBe(0);
  await mill[Symbol.asyncDispose]();
  await pool.end();
});

test('a failover to a synchronous standby loses nothing accepted', { timeout: 90_000 }, async () => {
  const settings = { synchronous_standby_names: '*', wal_level: 'replica' };
  const primary = await startOwn();
  const standby = await startPostgresStandby(primary, { own: true });
  servers.push(standby);
  const link = await startProxy({ target: primary.url });
  await run(primary.url, `ALTER SYSTEM SET synchronous_standby_names = '${settings.synchronous_standby_names}'`);
  await run(primary.url, 'SELECT pg_reload_conf()');
  await waitFor(
    async () => (await run(primary.url, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")).rowCount === 1,
    {
      timeout: 30_000,
      what: 'the standby to be synchronous',
    },
  );
  // One address for both, as a virtual one would be.
  const other = await startProxy({ target: standby.url });
  let present = link;
  const pools = {
    primary: new pg.Pool({ connectionString: link.url, max: 5 }),
    standby: new pg.Pool({ connectionString: other.url, max: 5 }),
  };
  for (const pool of Object.values(pools)) pool.on('error', () => undefined);
  const current = (): pg.Pool => (present === link ? pools.primary : pools.standby);
  await using mill = openMill(
    postgresAdapter({
      pool: { query: (text, values) => current().query(text, values), connect: () => current().connect() },
    }),
  );
  const worker = mill.startWorker({ concurrency: 5, handler: () => sleep(5) });
  const first = await mill.enqueueAll(300, 'first');
  await waitFor(() => mill.ledger.runs.size > 20);
  await primary.crash();
  const second = mill.enqueueAll(100, 'second');
  await standby.promote();
  present = other;
  await mill.untilDone([...first, ...(await second)], 60_000);
  await waitFor(() => worker.health().status === 'ok', { what: 'the worker to be well again' });
  expect(mill.ledger.staleEffects).toBe(0);
  await mill[Symbol.asyncDispose]();
  await Promise.all([pools.primary.end(), pools.standby.end(), link.stop(), other.stop()]);
});

test.each([3_600_000, -3_600_000])('a worker whose clock is off by %i ms works like any other', async (offset) => {
  const server = await startOwn();
  const url = await server.createDatabase();
  await using wrong = openMill(postgresAdapter({ url }), { ...systemClock, now: () => Date.now() + offset });
  await using right = openMill(postgresAdapter({ url }));
  wrong.startWorker({ concurrency: 2, handler: () => sleep(10) });
  const { id } = await right.queue.enqueue('work', { n: 0 }, { id: 'later', delay: 300 });
  const ids = await wrong.enqueueAll(20);
  await wrong.untilDone([...ids, id]);
  expect(wrong.ledger.stale).toBe(0);
});
