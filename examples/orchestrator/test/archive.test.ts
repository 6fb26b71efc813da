import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '@millrace/test-support';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archiveLogs, expireArtifacts } from '../src/archive/archive-logs.ts';
import { startCursor } from '../src/events/cursor.ts';
import { readNews } from '../src/events/read.ts';
import { readLogChunks } from '../src/logs/reader.ts';
import { createLogWriter } from '../src/logs/writer.ts';
import { directoryStore } from '../src/objects/directory.ts';
import type { ObjectStore } from '../src/objects/store.ts';
import { takeRun } from '../src/runs/take.ts';
import { moveRun } from '../src/runs/transition.ts';
import { submit, testDatabase } from './support/database.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let directory: TemporaryDirectory;
let objects: ObjectStore;
beforeAll(async () => {
  [database, directory] = await Promise.all([testDatabase(), temporaryDirectory('archive')]);
  objects = directoryStore(join(directory.path, 'objects'));
});
afterAll(async () => {
  await database.close();
  await directory.remove();
});

const parts = () => ({ db: database.db, objects, scratch: join(directory.path, 'scratch') });
const hour = 3_600_000;

/** A run that ended two hours ago, with so many chunks of three lines. */
async function endedRun(chunks: number): Promise<string> {
  const { db } = database;
  const runId = await submit(database);
  const hold = { runId, dispatch: 1, fence: 1, workerId: 'w' };
  await takeRun(db, hold);
  const log = await createLogWriter({ db, hold, maxBytes: 2 ** 30, onStored: () => {} });
  for (let chunk = 0; chunk < chunks; chunk++) {
    for (const line of [1, 2, 3]) await log.write('stdout', `chunk ${chunk} line ${line} é "quoted"`);
    await log.flush();
  }
  await moveRun(db, hold, { from: 'admitted', to: 'failed' });
  const finished_at = sql<Date>`now() - interval '2 hours'`;
  await db.updateTable('runs').set({ finished_at }).where('id', '=', runId).execute();
  return runId;
}

async function everything(runId: string): Promise<unknown[]> {
  const news = [];
  for (let after = startCursor; ; ) {
    const more = await readNews({ db: database.db, objects }, runId, after);
    const last = more.at(-1);
    if (!last) return news;
    news.push(...more);
    after = last.cursor;
  }
}

const rowsOf = async (runId: string): Promise<number> =>
  (await database.db.selectFrom('log_chunks').select('seq_from').where('run_id', '=', runId).execute()).length;

test('a log that went to the object store reads as before, from the start and from its middle', async () => {
  const runId = await endedRun(250);
  const before = await everything(runId);
  const middle = await readLogChunks({ db: database.db, objects }, runId, 500, 3);
  expect(await archiveLogs(parts(), hour)).toBe(1);
  expect(await rowsOf(runId)).toBe(0);
  expect(await everything(runId)).toEqual(before);
  expect(await readLogChunks({ db: database.db, objects }, runId, 500, 3)).toEqual(middle);
  expect(await readLogChunks({ db: database.db, objects }, runId, 750)).toEqual([]);
  expect(await readdir(join(directory.path, 'scratch'))).toEqual([]);
  expect(await archiveLogs(parts(), hour)).toBe(0);
});

test('what ended a moment ago stays, and so does a log whose object could not be stored', async () => {
  const runId = await endedRun(2);
  expect(await archiveLogs(parts(), 3 * hour)).toBe(0);
  const broken = { ...objects, putFile: () => Promise.reject(new Error('the store is full')) };
  await expect(archiveLogs({ ...parts(), objects: broken }, hour)).rejects.toThrow('the store is full');
  expect(await rowsOf(runId)).toBe(2);
  expect(await archiveLogs(parts(), hour)).toBe(1);
});

test('two janitors at once, and a run that said nothing', async () => {
  const [runId, silent] = [await endedRun(5), await endedRun(0)];
  const before = await everything(runId);
  await Promise.all([archiveLogs(parts(), hour), archiveLogs(parts(), hour)]);
  expect(await everything(runId)).toEqual(before);
  expect((await everything(silent)).length).toBeGreaterThan(0);
});

test('artifacts of long ago are deleted, object first; those of runs that are open stay', async () => {
  const runId = await endedRun(1);
  await archiveLogs(parts(), hour);
  const key = `runs/${runId}/log.jsonl.gz`;
  expect(await expireArtifacts(parts(), hour)).toBe(0);
  await database.db
    .updateTable('artifacts')
    .set({ created_at: sql`now() - interval '2 hours'` } as never)
    .where('run_id', '=', runId)
    .execute();
  const stuck = { ...objects, delete: () => Promise.reject(new Error('away')) };
  await expect(expireArtifacts({ ...parts(), objects: stuck }, hour)).rejects.toThrow('away');
  expect(await expireArtifacts(parts(), hour)).toBe(1);
  await expect(objects.get(key)).rejects.toThrow('No object');
  expect(await readLogChunks({ db: database.db, objects }, runId, 0)).toEqual([]);
});
