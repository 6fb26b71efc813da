import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NewJob, QueueStorage } from '../../src/index.ts';
import { startStorage } from './storage-of-file.ts';

// A tenant that is alone in the ring is claimed from, and placed anew, without a look at others: here are those that come to it afterwards.

let stop: () => Promise<void>;
let storage: QueueStorage;
let call = 0;

beforeAll(async () => {
  ({ storage, stop } = await startStorage(2));
});
afterAll(() => stop());

function newJob(id: string, tenant: string, priority: number): NewJob {
  return {
    ...{ id, name: 'w', payload: '1', bytes: 1, tenant, priority, delay: 0 },
    ...{ maxAttempts: 5, cost: 0, keepResult: 0, children: 0 },
  };
}

async function claim(most: number): Promise<string[]> {
  call += 1;
  const { claimed } = await storage.exchange({
    ...{
      session: 's',
      begin: call === 1,
      lease: 60_000,
      call,
      lostCalls: [],
      claim: most,
      housekeeping: 100,
      end: false,
    },
    ...{ settle: [], extend: [], progress: [] },
  });
  return claimed.map(({ id }) => id);
}

test('when its highest class is used up, a tenant stands under the next', async () => {
  await storage.enqueue({ jobs: [newJob('high', 'a', 5), newJob('low', 'a', 0)] });
  expect(await claim(1)).toEqual(['high']);
  await storage.enqueue({ jobs: [newJob('middle', 'b', 3)] });
  expect(await claim(1)).toEqual(['middle']);
  expect(await claim(2)).toEqual(['low']);
});

test('when its jobs are used up, it leaves the ring, and comes back with the next', async () => {
  await storage.enqueue({ jobs: [newJob('one', 'a', 0)] });
  expect(await claim(1)).toEqual(['one']);
  expect(await claim(1)).toEqual([]);
  await storage.enqueue({ jobs: [newJob('two', 'a', 0), newJob('three', 'b', 0)] });
  expect((await claim(5)).sort()).toEqual(['three', 'two']);
});
