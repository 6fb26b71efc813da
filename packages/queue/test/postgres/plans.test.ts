import { startPostgres } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { QueueStorage } from '../../src/index.ts';
import { postgresAdapter } from '../../src/postgres.ts';

// What the server itself says about every statement inside the functions, with a million jobs waiting: auto_explain tells each plan to the client.

const jobs = 1_000_000;
let server: Awaited<ReturnType<typeof startPostgres>>;
let pool: pg.Pool;
let storage: QueueStorage;
let plans: string[] = [];

/** Half of them of one tenant, the others of 1,000; some delayed, some leased, statistics as they are at that moment: none. */
const fill = `
  WITH j AS (
    INSERT INTO millrace.job (queue, id, name, tenant, priority, max_attempts, cost, bytes, enqueued_at, ready_at, payload)
      SELECT 1, 'id' || n, 'work', CASE WHEN n % 2 = 0 THEN '' ELSE 't' || n % 1000 END, n % 7, 5, 0, 2, 1000 + n, 1000 + n, '{}'
      FROM generate_series(1, ${jobs}) n
    RETURNING seq, tenant, priority, ready_at
  ), r AS (
    INSERT INTO millrace.ready (queue, tenant, rank, turn, seq, ready_at, cost, bytes, attempt, priority, special)
      SELECT 1, tenant, ready_at - priority * 10000000000, seq, seq, ready_at, 0, 2, 0, priority, false FROM j
  )
  INSERT INTO millrace.arrival (queue, tenant, ready, delayed, bytes, min_rank)
    SELECT 1, tenant, count(*), 0, 2 * count(*), min(ready_at - priority * 10000000000) FROM j GROUP BY tenant`;

beforeAll(async () => {
  server = await startPostgres({ own: true, settings: { autovacuum: 'off', shared_buffers: '256MB' } });
  pool = new pg.Pool({ connectionString: server.url, max: 1 });
  pool.on('error', () => undefined);
  storage = await postgresAdapter({ pool, listen: false }).open({
    queue: 'big',
    clock: systemClock,
    random: Math.random,
  });
  await pool.query(fill);
  await pool.query(`LOAD 'auto_explain'`);
  for (const setting of [
    'log_min_duration = 0',
    'log_nested_statements = on',
    'log_analyze = on',
    'log_timing = off',
  ]) {
    await pool.query(`SET auto_explain.${setting}`);
  }
  const client = await pool.connect();
  client.on('notice', ({ message }) => plans.push(message ?? ''));
  client.release();
  await pool.query('SET client_min_messages = log');
}, 120_000);

afterAll(async () => {
  await pool.end();
  await server.stop();
});

const base = {
  lostCalls: [],
  settle: [],
  extend: [],
  progress: [],
  housekeeping: 100,
  end: false,
  claim: 0,
  lease: 60_000,
} as const;
let call = 0;

function exchange(more: object) {
  call += 1;
  return storage.exchange({ ...base, session: 's', begin: call === 1, call, ...more });
}

/** Most rows that any step of a plan may read or throw away: some times what a call is given. */
const most = 10_000;

/** Steps that read, sort or drop more than that: a scan of a table, a sort of what was not chosen, a join in the wrong order. */
function faults(): string[] {
  return plans.flatMap((plan) =>
    plan
      .split('\n')
      .filter((line) => rowsOf(line) > most)
      .map((line) => `${line.trim()} in: ${plan.slice(0, 200)}`),
  );
}

function rowsOf(line: string): number {
  const [, rows = '0', loops = '1'] = /actual (?:time=\S+ )?rows=([\d.]+) loops=(\d+)/.exec(line) ?? [];
  const [, removed = '0'] = /Rows Removed by .*: (\d+)/.exec(line) ?? [];
  return Math.max(Number(rows) * Number(loops), Number(removed));
}

describe('with a million jobs waiting', () => {
  it('a scan would be seen', async () => {
    plans = [];
    await pool.query('SELECT count(*) FROM millrace.ready WHERE cost > 0');
    expect(faults()).not.toEqual([]);
  });

  it.each([
    ['enqueue', () => storage.enqueue({ jobs: [newJob('one'), newJob('two', { delay: 60_000 })] })],
    [
      'enqueue with a key',
      () => storage.enqueue({ jobs: [newJob('three', { dedupe: { key: 'k', mode: 'pending' } })] }),
    ],
    ['begin and claim of many tenants', () => exchange({ claim: 200 })],
    [
      'settle and claim',
      async () => {
        const { claimed } = await exchange({ claim: 200 });
        const settle = claimed.map(({ id, fence }, index) =>
          index < 150
            ? { kind: 'ack', jobId: id, fence }
            : {
                kind: 'retry',
                jobId: id,
                fence,
                delay: 0,
                failure: { attempt: 1, at: 1, message: 'm', code: 'E', fingerprint: 'f' },
              },
        );
        return exchange({ settle, claim: 200 });
      },
    ],
    ['cancel of one', () => storage.control('cancel', { ids: ['id500000'] })],
  ] as const)('%s: no table is read as a whole, nothing is sorted that was not chosen', async (_name, act) => {
    // Twice: the second time the plans are those that stay.
    await act();
    plans = [];
    await act();
    expect(plans.length).toBeGreaterThan(0);
    expect(faults()).toEqual([]);
  });

  it('claims what the order says', async () => {
    const { claimed } = await exchange({ claim: 3 });
    expect(claimed.length).toBe(3);
  });
});

function newJob(id: string, more: object = {}) {
  return {
    id,
    name: 'w',
    payload: '1',
    bytes: 1,
    tenant: 'new',
    priority: 0,
    delay: 0,
    maxAttempts: 5,
    cost: 0,
    keepResult: 0,
    children: 0,
    ...more,
  };
}
