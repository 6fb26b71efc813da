import Libsql from 'libsql';
import { type Bench, compare, median } from '../result.ts';
import { drainQueue, fill, openQueue, rate } from '../shared/end-to-end.ts';
import { openFile } from './file.ts';

const payload = JSON.stringify({ id: 123_456, pad: 'x'.repeat(170) });
const batch = 50;

/** The raw store: a table with the rows of jobs and a unique id, and nothing that makes it a queue. */
function openRaw(path: string) {
  const database = new Libsql(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  database.exec(`CREATE TABLE job (row_id INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT, tenant TEXT, state INTEGER,
    priority INTEGER, attempt INTEGER, enqueued_at INTEGER, session TEXT, fence INTEGER, payload TEXT)`);
  const insert = database.prepare(
    'INSERT INTO job (row_id, id, name, tenant, state, priority, attempt, enqueued_at, payload) VALUES (?, ?, ?, ?, 0, 0, 0, ?, ?)',
  );
  const lease = database.prepare('UPDATE job SET state = 2, attempt = 1, session = ?, fence = ? WHERE row_id = ?');
  const remove = database.prepare('DELETE FROM job WHERE id = ?');
  const transaction = (size: number, from: number, one: (n: number) => void): void => {
    database.exec('BEGIN IMMEDIATE');
    for (let n = from; n < from + size; n += 1) one(n);
    database.exec('COMMIT');
  };
  return {
    insert: (from: number, size: number) =>
      transaction(size, from, (n) => insert.run(n, `job-${n}`, 'work', '', Date.now(), payload)),
    lease: (from: number, size: number) => transaction(size, from, (n) => lease.run('s', n, n)),
    remove: (from: number, size: number) => transaction(size, from, (n) => remove.run(`job-${n}`)),
    close: () => database.close(),
  };
}

async function rawProcess(count: number): Promise<number> {
  const file = openFile();
  const raw = openRaw(file.path);
  const result = await rate(count, async () => {
    for (let n = 0; n < count; n += 1_000) raw.insert(n, 1_000);
    for (let n = 0; n < count; n += batch) {
      raw.lease(n, batch);
      raw.remove(n, batch);
    }
  });
  raw.close();
  await file.close();
  return result;
}

async function ourProcess(count: number): Promise<number> {
  const { adapter, close } = openFile();
  const queue = openQueue(adapter);
  const result = await rate(count, async () => {
    await fill(queue, count);
    await drainQueue(queue, count, batch);
  });
  await queue.close();
  await adapter.close();
  await close();
  return result;
}

async function rawEnqueue(count: number): Promise<number> {
  const file = openFile();
  const raw = openRaw(file.path);
  const result = await rate(count, async () => {
    for (let n = 0; n < count; n += 100) raw.insert(n, 100);
  });
  raw.close();
  await file.close();
  return result;
}

async function ourEnqueue(count: number): Promise<number> {
  const { adapter, close } = openFile();
  const queue = openQueue(adapter);
  await queue.ready();
  const pad = 'x'.repeat(170);
  let next = 0;
  const producer = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await queue.enqueue('work', { id: next, pad });
    }
  };
  const result = await rate(count, async () => void (await Promise.all(Array.from({ length: 100 }, producer))));
  await queue.close();
  await adapter.close();
  await close();
  return result;
}

async function sideBySide(
  metric: string,
  count: number,
  ours: (count: number) => Promise<number>,
  raw: (count: number) => Promise<number>,
) {
  const rates: [number[], number[]] = [[], []];
  for (let round = 0; round < 3; round += 1) {
    rates[0].push(await ours(count));
    rates[1].push(await raw(count));
  }
  return compare(metric, median(rates[0]), median(rates[1]), 'raw batched SQLite', 'jobs/s');
}

/** Enqueue and process, end to end. */
export const processBench: Bench = {
  metrics: ['sqlite.process.c50'],
  run: async ({ quick }) => [await sideBySide('sqlite.process.c50', quick ? 10_000 : 50_000, ourProcess, rawProcess)],
};

/** One by one, 100 in flight. */
export const enqueueBench: Bench = {
  metrics: ['sqlite.enqueue.one'],
  run: async ({ quick }) => [await sideBySide('sqlite.enqueue.one', quick ? 10_000 : 50_000, ourEnqueue, rawEnqueue)],
};
