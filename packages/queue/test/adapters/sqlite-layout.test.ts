import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueue, defineJob } from '@millrace/queue';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import Libsql from 'libsql';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { layoutVersion } from '../../src/adapters/sqlite/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-layout-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jobs = [defineJob('work', z.number())] as const;

function openQueue(path: string) {
  const adapter = sqliteAdapter({ path, durability: 'normal' });
  return { adapter, queue: createQueue({ adapter, jobs }) };
}

async function fill(path: string): Promise<void> {
  const { adapter, queue } = openQueue(path);
  await queue.enqueueMany([3, 1, 2].map((payload) => ({ name: 'work' as const, payload, priority: payload })));
  await queue.close();
  await adapter.close();
}

/** Makes the file what layout 2 was. */
function setBack(path: string): void {
  const database = new Libsql(path);
  database.exec(`DROP INDEX millrace_job_class; DROP INDEX millrace_job_delayed;
    CREATE INDEX millrace_job_time ON millrace_job (queue, state, ready_at) WHERE state <= 1; PRAGMA user_version = 2`);
  database.close();
}

function read(path: string): { readonly version: number; readonly indexes: readonly string[] } {
  const database = new Libsql(path);
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const sql = `SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'millrace_job_%' ORDER BY name`;
  const rows = database.prepare(sql).all() as { name: string }[];
  database.close();
  return { version, indexes: rows.map(({ name }) => name) };
}

test('a file of layout 2 becomes one of the present layout, with the jobs in it', async () => {
  const path = join(folder, 'older.db');
  await fill(path);
  const present = read(path);
  expect(present.version).toBe(layoutVersion);
  setBack(path);
  expect(read(path)).not.toEqual(present);
  const { adapter, queue } = openQueue(path);
  const done: number[] = [];
  const worker = queue.work({ work: async ({ payload }) => void done.push(payload) }, { concurrency: 1 });
  await expect.poll(() => done).toEqual([3, 2, 1]);
  await worker.drain();
  await queue.close();
  await adapter.close();
  expect(read(path)).toEqual(present);
});

test.each([
  [layoutVersion + 1, /newer version/],
  [1, /before the first release/],
])('a file of layout %i is refused', async (version, message) => {
  const path = join(folder, `layout-${version}.db`);
  await fill(path);
  const database = new Libsql(path);
  database.exec(`PRAGMA user_version = ${version}`);
  database.close();
  const { adapter, queue } = openQueue(path);
  await expect(queue.ready()).rejects.toThrow(message);
  await queue.close();
  await adapter.close();
});
