import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { NewJob, QueueStorage } from '../../src/index.ts';
import { startStorage } from './storage-of-file.ts';

// New ids are stored without a look for known ones, see fn.store_jobs: here are those that turn out to be known all the same.

let stop: () => Promise<void>;
let pool: pg.Pool;
let storage: QueueStorage;

beforeAll(async () => {
  ({ pool, storage, stop } = await startStorage(4));
});
afterAll(() => stop());
beforeEach(() => pool.query('TRUNCATE millrace.job, millrace.ready, millrace.delayed, millrace.arrival'));

function newJob(id: string, payload: string): NewJob {
  return {
    ...{ id, name: 'w', payload, bytes: Buffer.byteLength(payload), tenant: 't', priority: 0, delay: 0 },
    ...{ maxAttempts: 5, cost: 0, keepResult: 0, children: 0 },
  };
}

const stored = async (): Promise<unknown[]> =>
  (await pool.query('SELECT id, payload FROM millrace.job ORDER BY seq')).rows.map(({ id, payload }) => [id, payload]);

/** Jobs that can be claimed, and those that the counters will know of. */
const counted = async (): Promise<unknown> =>
  (
    await pool.query(
      'SELECT (SELECT count(*)::int FROM millrace.ready) AS ready, (SELECT sum(ready)::int FROM millrace.arrival) AS told',
    )
  ).rows[0];

test('an id twice in one call is one job, the first', async () => {
  await storage.enqueue({ jobs: [newJob('a', '1'), newJob('b', '2'), newJob('a', '3')] });
  expect(await stored()).toEqual([
    ['a', '1'],
    ['b', '2'],
  ]);
  expect(await counted()).toEqual({ ready: 2, told: 2 });
});

test('a known id among new ones stays as it is', async () => {
  await storage.enqueue({ jobs: [newJob('a', '1')] });
  const answers = await storage.enqueue({ jobs: [newJob('b', '2'), newJob('a', '3')] });
  expect(answers.map(({ status }) => status)).toEqual(['accepted', 'accepted']);
  expect(await stored()).toEqual([
    ['a', '1'],
    ['b', '2'],
  ]);
  expect(await counted()).toEqual({ ready: 2, told: 2 });
});

test('an id that a transaction is storing right now is awaited, and stored once', async () => {
  const client = await pool.connect();
  await client.query('BEGIN');
  await storage.enqueue({ jobs: [newJob('a', '1')], transaction: client });
  const beside = storage.enqueue({ jobs: [newJob('b', '2'), newJob('a', '3')] });
  await isWaiting();
  await client.query('COMMIT');
  client.release();
  await beside;
  expect(await stored()).toEqual(
    expect.arrayContaining([
      ['a', '1'],
      ['b', '2'],
    ]),
  );
  expect(await counted()).toEqual({ ready: 2, told: 2 });
});

async function isWaiting(): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    if (rowCount === 1) return;
  }
}

test.each([
  ['the separator of lists', ['"a\u001fb"', '1']],
  ['nothing', ['']],
  ['nothing, among others', ['1', '', '3']],
  ['quotes, backslashes and lines', ['"\\"{}\\\\', '\n', 'ü😀']],
])('payloads that contain %s come back as they were', async (_, payloads) => {
  await storage.enqueue({ jobs: payloads.map((payload, index) => newJob(`id\u001f${index}`, payload)) });
  await storage.enqueue({ jobs: payloads.map((payload, index) => newJob(`p${index}`, payload)) });
  expect((await stored()).map((row) => (row as string[])[1])).toEqual([...payloads, ...payloads]);
});
