import { waitFor } from '@millrace/test-support';
import type { Kysely, KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../src/db/schema.ts';
import { type Cursor, startCursor } from '../src/events/cursor.ts';
import { createEventHub, type EventHub, type EventSink } from '../src/events/hub.ts';
import { createLogWriter } from '../src/logs/writer.ts';
import { directoryStore } from '../src/objects/directory.ts';
import { memoryRelay } from '../src/relay/memory.ts';
import type { Relay } from '../src/relay/relay.ts';
import { takeRun } from '../src/runs/take.ts';
import { submit, testDatabase } from './support/database.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

interface TestReader extends EventSink {
  readonly frames: string[];
  readonly ends: string[];
  takes: boolean;
}

function reader(takes = true): TestReader {
  const frames: string[] = [];
  const ends: string[] = [];
  const self: TestReader = {
    frames,
    ends,
    takes,
    write(frame) {
      frames.push(Buffer.from(frame).toString());
      return self.takes;
    },
    end: () => void ends.push('end'),
    cut: () => void ends.push('cut'),
  };
  return self;
}

const linesOf = ({ frames }: TestReader): number[] =>
  frames
    .filter((frame) => frame.includes('event: log'))
    .flatMap((frame) => (JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? '{}') as { lines: { seq: number }[] }).lines)
    .map(({ seq }) => seq);

function hubOf(
  options: { relay?: Relay; pollInterval?: number; heartbeat?: number; db?: Kysely<Database> } = {},
): EventHub {
  const { relay = memoryRelay(), pollInterval = 600_000, heartbeat = 600_000, db = database.db } = options;
  const onError = (error: unknown): never => {
    throw error;
  };
  return createEventHub({
    db,
    objects: directoryStore('/nowhere'),
    relay,
    pollInterval,
    heartbeat,
    onError,
  });
}

/** A run that a worker holds, and a way to write lines to it, one chunk each. */
async function runWithLog(relay: Relay | undefined = undefined) {
  const runId = await submit(database);
  const hold = { runId, dispatch: 1, fence: 1, workerId: 'w' };
  await takeRun(database.db, hold);
  const onStored = (): void => relay?.publish({ kind: 'run', runId });
  const log = await createLogWriter({ db: database.db, hold, maxBytes: 2 ** 30, onStored });
  const write = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      await log.write('stdout', `line ${index}`);
      await log.flush();
    }
  };
  return { runId, write };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('readers hear by hints alone, and by polling alone', async () => {
  const relay = memoryRelay();
  for (const hub of [hubOf({ relay }), hubOf({ pollInterval: 20 })]) {
    const { runId, write } = await runWithLog(relay);
    const one = reader();
    hub.follow(runId, startCursor, one);
    await write(5);
    await waitFor(() => linesOf(one).length === 5);
    expect(linesOf(one)).toEqual(upTo(5));
    await hub.stop();
    expect(one.ends).toEqual(['end']);
  }
});

test('a reader that takes nothing is given little, and goes on where it stopped', async () => {
  const relay = memoryRelay();
  const hub = hubOf({ relay });
  const { runId, write } = await runWithLog(relay);
  await write(40);
  const [slow, quick] = [reader(false), reader()];
  const source = hub.follow(runId, startCursor, slow);
  hub.follow(runId, startCursor, quick);
  await waitFor(() => linesOf(quick).length === 40);
  expect(slow.frames).toHaveLength(1);
  slow.takes = true;
  source.resume();
  await waitFor(() => linesOf(slow).length === 40);
  expect(linesOf(slow)).toEqual(upTo(40));
  await hub.stop();
});

test('a reader that takes nothing for long is cut off; one that only waits gets heartbeats', async () => {
  const relay = memoryRelay();
  const hub = hubOf({ relay, heartbeat: 20 });
  const { runId, write } = await runWithLog(relay);
  await write(1);
  const [stuck, idle] = [reader(false), reader()];
  hub.follow(runId, startCursor, stuck);
  hub.follow(runId, startCursor, idle);
  await waitFor(() => stuck.ends.length > 0);
  expect(stuck.ends).toEqual(['cut']);
  await waitFor(() => idle.frames.filter((frame) => frame.startsWith(':')).length > 3);
  expect(hub.readers).toBe(1);
  await hub.stop();
});

test('readers that are equally far share the reading', async () => {
  const relay = memoryRelay();
  const hub = hubOf({ relay });
  const { runId, write } = await runWithLog(relay);
  const readers = Array.from({ length: 200 }, () => reader());
  for (const one of readers) hub.follow(runId, startCursor, one);
  await waitFor(() => readers.every((one) => one.frames.length > 0));
  let queries = 0;
  const count = (): void => {
    queries += 1;
  };
  database.pool.on('acquire', count);
  await write(3);
  await waitFor(() => readers.every((one) => linesOf(one).length === 3));
  database.pool.off('acquire', count);
  for (const one of readers) expect(linesOf(one)).toEqual(upTo(3));
  expect(queries).toBeLessThan(readers.length);
  await hub.stop();
});

test('whoever leaves is told nothing more', async () => {
  const relay = memoryRelay();
  const hub = hubOf({ relay });
  const { runId, write } = await runWithLog(relay);
  const [gone, stays] = [reader(), reader()];
  const after: Cursor = { event: 2, line: 0 };
  hub.follow(runId, after, gone).leave();
  hub.follow(runId, after, stays);
  await write(2);
  await waitFor(() => linesOf(stays).length === 2);
  expect(gone.frames).toEqual([]);
  expect(hub.readers).toBe(1);
  await hub.stop();
});

test('stopping ends when no reading is under way, and nothing begins one afterwards', async () => {
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const order: string[] = [];
  const slowly: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      order.push('asked');
      await held;
      order.push('answered');
      return result;
    },
  };
  const hub = hubOf({ db: database.db.withPlugin(slowly) });
  const { runId } = await runWithLog();
  const one = reader();
  const source = hub.follow(runId, startCursor, one);
  await waitFor(() => order.includes('asked'));
  const stopped = hub.stop().then(() => order.push('stopped'));
  await new Promise((resolve) => setImmediate(resolve));
  answer();
  await stopped;
  expect(order.at(-1)).toBe('stopped');
  const questions = order.length;
  source.resume();
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toHaveLength(questions);
  expect(one.ends).toEqual(['end']);
  expect(one.frames).toEqual([]);
});
