import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failure, newJob } from '../../src/conformance/harness.ts';
import type { ExchangeRequest, QueueStorage } from '../../src/index.ts';
import { startStorage } from './storage-of-file.ts';

let stop: () => Promise<void>;
let pool: pg.Pool;
let storage: QueueStorage;
let call = 0;

beforeAll(async () => {
  ({ pool, storage, stop } = await startStorage(3));
  // The first sweep of a new database begins a partition.
  await exchange({});
});
afterAll(() => stop());

function exchange(more: Partial<ExchangeRequest>) {
  call += 1;
  return storage.exchange({
    ...{ session: 's', begin: call === 1, lease: 60_000, call, lostCalls: [], claim: 0, settle: [], extend: [] },
    ...{ progress: [], housekeeping: 100, end: false, ...more },
  });
}

async function die(id: string): Promise<void> {
  await storage.enqueue({ jobs: [newJob({ id })] });
  const { claimed } = await exchange({ claim: 1 });
  await exchange({
    settle: claimed.map((job) => ({ kind: 'dead', jobId: job.id, fence: job.fence, failure: failure() })),
  });
}

/** An hour has passed for the partitions, and something is due for the queue. */
async function turn(): Promise<void> {
  await pool.query('UPDATE millrace.shelf SET since = 0');
  await pool.query('UPDATE millrace.state SET due = 0');
  await exchange({});
}

const rowsIn = async (slot: number): Promise<number> =>
  (await pool.query(`SELECT count(*)::int AS n FROM millrace.done_${slot}`)).rows[0].n;
const present = async (): Promise<number> => (await pool.query('SELECT slot FROM millrace.shelf')).rows[0].slot;

it('what retention forgot goes with its partition; what is kept holds it', async () => {
  const start = await present();
  await die('old');
  expect(await rowsIn(start)).toBe(1);
  // Three turns lead to the partition before; the fourth would empty the one with the job that is kept.
  for (let n = 0; n < 3; n += 1) await turn();
  await turn();
  expect(await present()).toBe((start + 3) % 4);
  expect(await rowsIn(start)).toBe(1);
  await storage.control('configure', { retention: { dead: { age: 600_000, count: 1, bytes: 1_000_000 } } });
  await die('new');
  expect(await storage.control('job', { id: 'old' })).toBeUndefined();
  expect(await rowsIn(start)).toBe(1);
  await turn();
  expect(await present()).toBe(start);
  expect(await rowsIn(start)).toBe(0);
  expect((await storage.control('job', { id: 'new' }))?.state).toBe('dead');
});

it('a reader puts the turn off, and nobody waits for it', async () => {
  const start = await present();
  const reader = await pool.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT count(*) FROM millrace.done');
  await turn();
  expect(await present()).toBe(start);
  await reader.query('COMMIT');
  reader.release();
  await turn();
  expect(await present()).toBe((start + 1) % 4);
});
