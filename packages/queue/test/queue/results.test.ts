import type { Codec } from '@millrace/queue';
import { expect, test } from 'vitest';
import { workQueue } from './support.ts';

/** Runs one job with this handler, and answers how it ended. */
async function endOf(handler: () => unknown, codec?: Codec): Promise<unknown> {
  await using queue = workQueue({ keepResult: '1m', maxAttempts: 1 }, { ...(codec !== undefined && { codec }) });
  const { result } = await queue.enqueue('work', { n: 1 });
  await using worker = queue.work({ work: handler });
  const ended = await result().then(
    (value) => ({ value }),
    (error: Error) => ({ error: error.message }),
  );
  await worker.drain();
  const { leased, dead } = await queue.inspect.counts();
  return { ...ended, leased, dead };
}

/** Encodes payloads at once, results late, and the result `"bad"` not at all. */
const picky: Codec = {
  encode: async (text) => {
    if (text === '"bad"') throw new Error('cannot be sealed');
    return text;
  },
  decode: async (data) => data,
};

test.each([
  ['a promise', async () => 7],
  ['a value', () => 7],
  ['something with a `then`', () => Object.fromEntries([['then', (done: (value: number) => void) => done(7)]])],
])('the result of a handler may be %s', async (_kind, handler) => {
  const success = { value: 7, leased: 0, dead: 0 };
  expect(await endOf(handler)).toEqual(success);
  expect(await endOf(handler, picky)).toEqual(success);
});

test.each<[string, () => unknown, Codec | undefined]>([
  ['has no JSON', () => 1n, undefined],
  ['comes late and has no JSON', async () => 1n, undefined],
  ['the codec refuses', () => 'bad', picky],
])('a result that %s is a failure of the attempt', async (_kind, handler, codec) => {
  expect(await endOf(handler, codec)).toMatchObject({ error: expect.any(String), leased: 0, dead: 1 });
});

test.each<[string, () => unknown, Codec | undefined]>([
  [
    'throws at once',
    () => {
      throw new Error('no');
    },
    undefined,
  ],
  ['throws late', () => Promise.reject(new Error('no')), undefined],
  [
    'throws after a payload that was decoded late',
    () => {
      throw new Error('no');
    },
    picky,
  ],
])('a handler that %s has failed', async (_kind, handler, codec) => {
  expect(await endOf(handler, codec)).toMatchObject({ error: expect.stringContaining('no'), leased: 0, dead: 1 });
});
