import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import { readLogChunks } from '../src/logs/reader.ts';
import { createLogWriter } from '../src/logs/writer.ts';
import { directoryStore } from '../src/objects/directory.ts';
import { RunFencedError } from '../src/runs/errors.ts';
import { takeRun } from '../src/runs/take.ts';
import type { Hold } from '../src/runs/transition.ts';
import { submit, testDatabase } from './support/database.ts';

let database: OpenDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

async function hold(runId: string, fence: number): Promise<Hold> {
  const taken: Hold = { runId, fence, dispatch: 1, workerId: 'w' };
  await takeRun(database.db, taken);
  return taken;
}

const open = (holder: Hold, maxBytes = 1_000_000) =>
  createLogWriter({ db: database.db, hold: holder, maxBytes, onStored: () => {} });
const read = async (runId: string, after = 0) =>
  (await readLogChunks({ db: database.db, objects: directoryStore('/nowhere') }, runId, after)).flatMap(
    (chunk) => chunk.lines,
  );

test('numbers lines from 1 without gap, over flushes and over workers', async () => {
  const id = await submit(database);
  const first = await open(await hold(id, 1));
  await first.write('stdout', 'a');
  await first.write('stderr', 'b\0c');
  await first.flush();
  await first.write('stdout', 'd');
  await first.flush();
  const second = await open(await hold(id, 2));
  await second.write('system', 'e');
  await second.flush();
  expect((await read(id)).map(({ seq, stream, text }) => [seq, stream, text])).toEqual([
    [1, 'stdout', 'a'],
    [2, 'stderr', 'b\0c'],
    [3, 'stdout', 'd'],
    [4, 'system', 'e'],
  ]);
  expect((await read(id, 1)).map((line) => line.text)).toEqual(['b\0c', 'd', 'e']);
});

test('a worker that lost the run adds nothing', async () => {
  const id = await submit(database);
  const lost = await open(await hold(id, 1));
  await lost.write('stdout', 'mine');
  await hold(id, 2);
  await expect(lost.flush()).rejects.toThrow(RunFencedError);
  expect(await read(id)).toEqual([]);
});

test('many concurrent flushes keep the order', async () => {
  const id = await submit(database);
  const log = await open(await hold(id, 1));
  const writes = Array.from({ length: 200 }, async (_, index) => {
    await log.write('stdout', `${index}`);
    if (index % 7 === 0) await log.flush();
  });
  await Promise.all(writes);
  await log.flush();
  const lines = await read(id);
  expect(lines.map((line) => line.text)).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
  expect(lines.map((line) => line.seq)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
});

test('a log that is too long is cut with a word about it', async () => {
  const id = await submit(database);
  const log = await open(await hold(id, 1), 10);
  for (const text of ['12345', '67890', 'x', 'lost', 'lost too']) await log.write('stdout', text);
  await log.write('system', 'the end');
  await log.flush();
  expect((await read(id)).map((line) => line.text)).toEqual([
    '12345',
    '67890',
    'x',
    'The log is longer than 10 bytes; the rest is not kept.',
    'the end',
  ]);
});
