import assert from 'node:assert/strict';
import type { DedupeSpec, NewJob } from '../contract/index.ts';
import { failure, type Group, idsOf, leaseMs, newJob } from './harness.ts';

const pending: DedupeSpec = { key: 'k', mode: 'pending' };
const keepLast: DedupeSpec = { key: 'k', mode: 'keep-last' };
const withKey = (id: string, dedupe: DedupeSpec, payload = `"${id}"`): Partial<NewJob> & { id: string } => ({
  id,
  dedupe,
  payload,
});

/** One key, one job; what that means depends on the mode. */
export const dedupe: Group = (test) => {
  test('pending: duplicate while the job is ready, delayed or leased; free when it has ended', async ({
    add,
    session,
  }) => {
    await add({ ...withKey('a', pending), delay: 0 });
    assert.deepEqual(await add(withKey('b', pending)), [{ status: 'duplicate', id: 'a', replaced: false }]);
    const worker = session();
    const job = await worker.claimOne();
    assert.equal((await add(withKey('c', pending)))[0]?.status, 'duplicate');
    await worker.settle(job, { kind: 'retry', delay: 60_000, failure: failure() });
    assert.equal((await add(withKey('d', pending)))[0]?.status, 'duplicate');
  });

  for (const kind of ['ack', 'dead', 'cancelled'] as const) {
    test(`pending: ${kind} frees the key`, async ({ add, session }) => {
      await add(withKey('a', pending));
      const worker = session();
      await worker.settle(await worker.claimOne(), { kind, failure: failure() });
      assert.deepEqual(await add(withKey('b', pending)), [{ status: 'accepted', id: 'b' }]);
    });
  }

  test('pending: two jobs of one batch with the same key are one', async ({ add }) => {
    const answers = await add(withKey('a', pending), withKey('b', pending));
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'duplicate'],
    );
  });

  test('pending: of many producers at the same time one wins', async ({ storage, other, control }) => {
    const calls = Array.from({ length: 20 }, (_, n) =>
      (n % 2 === 0 ? storage : other).enqueue({ jobs: [newJob(withKey(`j${n}`, pending))] }),
    );
    const answers = (await Promise.all(calls)).flat();
    assert.equal(answers.filter(({ status }) => status === 'accepted').length, 1);
    assert.equal((await control('counts', {})).ready, 1);
  });

  test('pending: different keys do not meet', async ({ add }) => {
    const answers = await add(withKey('a', pending), withKey('b', { ...pending, key: 'other' }));
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'accepted'],
    );
  });

  test('window: duplicate for a time, whatever became of the job', async ({ add, session, advance }) => {
    const window: DedupeSpec = { key: 'k', mode: 'window', ttl: 300 };
    await add(withKey('a', window));
    const worker = session();
    await worker.settle(await worker.claimOne(), { kind: 'ack' });
    assert.deepEqual(await add(withKey('b', window)), [{ status: 'duplicate', id: 'a', replaced: false }]);
    await advance(350);
    assert.equal((await add(withKey('c', window)))[0]?.status, 'accepted');
  });

  test('keep-last: a waiting job takes over the payload', async ({ add, session, control }) => {
    await add(withKey('a', keepLast));
    assert.deepEqual(await add(withKey('b', keepLast)), [{ status: 'duplicate', id: 'a', replaced: true }]);
    assert.equal((await control('counts', {})).ready, 1);
    assert.equal((await session().claimOne()).payload, '"b"');
  });

  test('keep-last: while one runs, the last of those that came meanwhile waits for its end', async ({
    add,
    session,
    state,
  }) => {
    await add(withKey('a', keepLast));
    const worker = session();
    const running = await worker.claimOne();
    assert.equal((await add(withKey('b', keepLast)))[0]?.status, 'accepted');
    assert.deepEqual(await add(withKey('c', keepLast)), [{ status: 'duplicate', id: 'b', replaced: true }]);
    assert.equal(await state('b'), 'delayed');
    assert.deepEqual(await worker.claim(5), []);
    await worker.settle(running, { kind: 'ack' });
    const next = await worker.claimOne();
    assert.deepEqual([next.id, next.payload], ['b', '"c"']);
    await worker.settle(next, { kind: 'ack' });
    assert.equal((await add(withKey('d', keepLast)))[0]?.status, 'accepted');
    assert.deepEqual(idsOf(await worker.claim(5)), ['d']);
  });

  test('keep-last: the follow-up starts after a lost worker too', async ({ add, session, advance }) => {
    await add({ ...withKey('a', keepLast), maxAttempts: 1 });
    await session().claimOne();
    await add(withKey('b', keepLast));
    await advance(leaseMs + 50);
    const worker = session();
    await worker.exchange();
    assert.deepEqual(idsOf(await worker.claim(5)), ['b']);
  });

  test('debounce: starts when the calls have stopped', async ({ add, session, advance }) => {
    const debounce: DedupeSpec = { key: 'k', mode: 'debounce', ttl: 200 };
    const worker = session();
    await add(withKey('a', debounce));
    await advance(120);
    assert.deepEqual(await add(withKey('b', debounce)), [{ status: 'duplicate', id: 'a', replaced: true }]);
    await advance(120);
    assert.deepEqual(await worker.claim(1), []);
    await advance(120);
    assert.equal((await worker.claimOne()).payload, '"b"');
    assert.equal((await add(withKey('c', debounce)))[0]?.status, 'accepted');
  });

  test('debounce: starts after the maximum wait at the latest', async ({ add, session, advance }) => {
    const debounce: DedupeSpec = { key: 'k', mode: 'debounce', ttl: 200, maxWait: 300 };
    for (const id of ['a', 'b', 'c', 'd']) {
      await add(withKey(id, debounce));
      await advance(100);
    }
    assert.equal((await session().claim(1)).length, 1);
  });
};
