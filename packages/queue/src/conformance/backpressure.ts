import assert from 'node:assert/strict';
import { failure, type Group, newJob } from './harness.ts';

/** A queue that is full says so, and stores nothing. */
export const backpressure: Group = (test) => {
  test('the count of waiting jobs is bounded for the queue', async ({ add, control }) => {
    await control('configure', { limits: { maxWaiting: 2 } });
    const answers = await add('a', 'b', 'c');
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'accepted', 'rejected'],
    );
    const last = answers[2];
    assert.ok(last?.status === 'rejected' && last.retryAfter > 0);
    assert.deepEqual(last.reason, { scope: 'queue', limit: 'count' });
    assert.equal((await control('counts', {})).ready, 2);
  });

  test('the bytes of waiting jobs are bounded for the queue', async ({ add, control }) => {
    await control('configure', { limits: { maxWaitingBytes: 20 } });
    const answers = await add(
      { id: 'a', payload: '"0123456789"' },
      { id: 'b', payload: '"0123456789"' },
      { id: 'c', payload: '"0"' },
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'rejected', 'accepted'],
    );
    assert.deepEqual(answers[1]?.status === 'rejected' && answers[1].reason, { scope: 'queue', limit: 'bytes' });
  });

  test('a tenant has its own marks, and others go on', async ({ add, control }) => {
    await control('limitTenant', { tenant: 'a', limits: { maxWaiting: 1, maxWaitingBytes: 100 } });
    const answers = await add(
      { id: '1', tenant: 'a' },
      { id: '2', tenant: 'a' },
      { id: '3', tenant: 'b' },
      { id: '4', tenant: 'b' },
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'rejected', 'accepted', 'accepted'],
    );
    assert.deepEqual(answers[1]?.status === 'rejected' && answers[1].reason, { scope: 'tenant', limit: 'count' });
  });

  test('delayed jobs count, leased ones do not', async ({ add, control, session }) => {
    await control('configure', { limits: { maxWaiting: 1 } });
    await add({ id: 'a', delay: 60_000 });
    assert.equal((await add('b'))[0]?.status, 'rejected');
    await control('promote', { ids: ['a'] });
    await session().claimOne();
    assert.equal((await add('b'))[0]?.status, 'accepted');
  });

  test('a full queue takes failed jobs back', async ({ add, control, session }) => {
    await control('configure', { limits: { maxWaiting: 1 } });
    await add('a');
    const worker = session();
    const job = await worker.claimOne();
    await add('b');
    assert.equal(await worker.settle(job, { kind: 'retry', delay: 0, failure: failure() }), 'applied');
    assert.equal((await control('counts', {})).ready, 2);
  });

  test('a known id and a known key are answered even when the queue is full', async ({ add, control }) => {
    await control('configure', { limits: { maxWaiting: 1 } });
    await add({ id: 'a', dedupe: { key: 'k', mode: 'pending' } });
    const answers = await add('a', { id: 'b', dedupe: { key: 'k', mode: 'pending' } });
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'duplicate'],
    );
  });

  test('an atomic request is stored whole or not at all', async ({ storage, control }) => {
    await control('configure', { limits: { maxWaiting: 2 } });
    const jobs = ['a', 'b', 'c'].map((id) => newJob({ id }));
    const answers = await storage.enqueue({ jobs, atomic: true });
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    assert.equal((await control('counts', {})).ready, 0);
    const fitting = await storage.enqueue({ jobs: jobs.slice(0, 2), atomic: true });
    assert.deepEqual(
      fitting.map(({ status }) => status),
      ['accepted', 'accepted'],
    );
  });

  test('marks hold against many producers at the same time', async ({ storage, other, control }) => {
    await control('configure', { limits: { maxWaiting: 10 } });
    const calls = Array.from({ length: 30 }, (_, n) =>
      (n % 2 === 0 ? storage : other).enqueue({ jobs: [newJob({ id: `j${n}` })] }),
    );
    const answers = (await Promise.all(calls)).flat();
    assert.equal(answers.filter(({ status }) => status === 'accepted').length, 10);
  });
};
