import assert from 'node:assert/strict';
import { failure, type Group, idsOf, leaseMs } from './harness.ts';

/** Cancel, pause, filters, and looking on. */
export const steering: Group = (test) => {
  test('cancelling a waiting job ends it', async ({ add, control, session, state }) => {
    await add('a', { id: 'b', delay: 60_000 });
    assert.deepEqual(await control('cancel', { ids: ['a', 'b', 'nothing'] }), ['cancelled', 'cancelled', 'unknown']);
    assert.deepEqual(await session().claim(5), []);
    assert.equal(await state('a'), 'cancelled');
    assert.deepEqual(await control('cancel', { ids: ['a'] }), ['finished']);
  });

  test('cancelling a running job asks its session, in every answer until it is settled', async ({
    add,
    control,
    session,
    other,
    state,
  }) => {
    await add('a', 'b');
    const worker = session();
    const [a, b] = await worker.claim(2);
    assert.ok(a && b);
    assert.deepEqual(await other.control('cancel', { ids: ['a'] }), ['requested']);
    const request = [{ jobId: 'a', fence: a.fence }];
    assert.deepEqual((await worker.exchange()).cancelRequests, request);
    assert.deepEqual((await worker.exchange()).cancelRequests, request);
    assert.deepEqual((await session().exchange()).cancelRequests, []);
    assert.equal(await worker.settle(a, { kind: 'cancelled' }), 'applied');
    assert.deepEqual((await worker.exchange()).cancelRequests, []);
    assert.equal(await state('a'), 'cancelled');
    assert.equal((await control('job', { id: 'b' }))?.cancelRequested, false);
  });

  test('a job that was asked to stop may still succeed', async ({ add, control, session, state }) => {
    await add('a');
    const worker = session();
    const job = await worker.claimOne();
    await control('cancel', { ids: ['a'] });
    assert.equal(await worker.settle(job, { kind: 'ack' }), 'applied');
    assert.equal(await state('a'), 'gone');
  });

  for (const kind of ['retry', 'snooze', 'release'] as const) {
    test(`a job that was asked to stop does not come back by ${kind}`, async ({ add, control, session, state }) => {
      await add('a');
      const worker = session();
      const job = await worker.claimOne();
      await control('cancel', { ids: ['a'] });
      await worker.settle(job, { kind, delay: 0, failure: failure() });
      assert.equal(await state('a'), 'cancelled');
      assert.equal((await control('job', { id: 'a' }))?.attempt, kind === 'retry' ? 1 : 0);
    });
  }

  test('a job that was asked to stop does not come back when its worker dies', async ({
    add,
    control,
    session,
    advance,
    state,
  }) => {
    await add('a');
    await session().claimOne();
    await control('cancel', { ids: ['a'] });
    await advance(leaseMs + 50);
    await session().exchange({ claim: 1 });
    assert.equal(await state('a'), 'cancelled');
  });

  test('a paused queue gives nothing, takes jobs, and settles', async ({ add, control, session, other }) => {
    await add('a', 'b');
    const worker = session();
    const job = await worker.claimOne();
    await other.control('pause', {});
    assert.deepEqual(await worker.claim(5), []);
    assert.equal(await worker.settle(job, { kind: 'ack' }), 'applied');
    assert.equal((await add('c'))[0]?.status, 'accepted');
    assert.equal((await control('counts', {})).paused, true);
    await control('resume', {});
    assert.deepEqual(idsOf(await worker.claim(5)), ['b', 'c']);
  });

  test('a paused tenant waits, others go on', async ({ add, control, session }) => {
    await add({ id: 'a', tenant: 'a' }, { id: 'b', tenant: 'b' });
    await control('pause', { tenant: 'a' });
    const worker = session();
    assert.deepEqual(idsOf(await worker.claim(5)), ['b']);
    await control('resume', { tenant: 'a' });
    assert.deepEqual(idsOf(await worker.claim(5)), ['a']);
  });

  test('jobs are counted and listed by filter', async ({ add, control }) => {
    // One call after the other: jobs of one call that live in different shards arrive there in any order.
    await add({ id: 'a', name: 'mail', tenant: 't' });
    await add({ id: 'b', name: 'mail', delay: 60_000 }, { id: 'c', name: 'index', tenant: 't' });
    assert.equal(await control('count', { filter: {} }), 3);
    assert.equal(await control('count', { filter: { name: 'mail' } }), 2);
    assert.equal(await control('count', { filter: { tenant: 't', state: 'ready' } }), 2);
    assert.deepEqual(idsOf((await control('list', { filter: { name: 'mail' }, limit: 10 })).items), ['a', 'b']);
    assert.equal(await control('count', { filter: { enqueuedBefore: 1 } }), 0);
  });

  test('counts are right after every kind of change', async ({ add, control, session }) => {
    await add('a', 'b', 'c', { id: 'd', delay: 60_000 }, { id: 'e', keepResult: 60_000 });
    const worker = session();
    const [a, b, c, e] = await worker.claim(4);
    assert.ok(a && b && c && e);
    await worker.settle(a, { kind: 'dead', failure: failure() });
    await worker.settle(b, { kind: 'retry', delay: 60_000, failure: failure() });
    await worker.settle(e, { kind: 'ack', result: '1' });
    await control('cancel', { ids: ['d'] });
    const { ready, delayed, leased, succeeded, dead, cancelled, waitingBytes, sessions } = await control('counts', {});
    assert.deepEqual(
      { ready, delayed, leased, succeeded, dead, cancelled, waitingBytes, sessions },
      {
        ready: 0,
        delayed: 1,
        leased: 1,
        succeeded: 1,
        dead: 1,
        cancelled: 1,
        waitingBytes: '{"n":1}'.length,
        sessions: 1,
      },
    );
  });

  test('the age of the oldest ready job is known', async ({ add, control, advance, session }) => {
    assert.equal((await control('counts', {})).oldestReadyAge, 0);
    await add('a');
    await advance(120);
    await add({ id: 'b', priority: 9 });
    const { oldestReadyAge } = await control('counts', {});
    assert.ok(oldestReadyAge >= 120, `${oldestReadyAge}`);
    await session().claim(2);
    assert.equal((await control('counts', {})).oldestReadyAge, 0);
  });

  test('ready jobs are counted per priority', async ({ add, control }) => {
    await add({ id: 'a', priority: 5 }, 'b', 'c', { id: 'd', priority: 5, delay: 60_000 });
    assert.deepEqual(await control('priorities', {}), [
      { priority: 5, ready: 1 },
      { priority: 0, ready: 2 },
    ]);
  });

  test('why a job does not run', async ({ add, control, session }) => {
    const why = async (id: string): Promise<string> => (await control('explain', { id })).reason;
    await add({ id: 'a', tenant: 't', cost: 3 }, { id: 'b', tenant: 't', cost: 3 }, { id: 'later', delay: 60_000 });
    assert.equal(await why('nothing'), 'unknown-job');
    assert.equal(await why('a'), 'no-worker');
    assert.equal(await why('later'), 'delayed');
    const worker = session();
    await worker.exchange();
    assert.deepEqual(await control('explain', { id: 'b' }), { reason: 'next-in-line', ahead: 1 });
    await worker.claimOne();
    assert.equal(await why('a'), 'running');
    await control('limitTenant', { tenant: 't', limits: { maxLeased: 1 } });
    assert.equal(await why('b'), 'tenant-concurrency');
    await control('limitTenant', { tenant: 't', limits: { maxLeased: undefined, rate: { limit: 1, per: 60_000 } } });
    await control('limitTenant', { tenant: 't', limits: { rate: undefined } });
    await control('pause', { tenant: 't' });
    assert.equal(await why('b'), 'tenant-paused');
    await control('resume', { tenant: 't' });
    await control('pause', {});
    assert.equal(await why('b'), 'queue-paused');
    await control('resume', {});
    await control('configure', { limits: { maxLeased: 1 } });
    assert.equal(await why('b'), 'queue-concurrency');
  });

  test('who is held by rate or budget knows until when', async ({ add, control, session }) => {
    await control('limitTenant', { tenant: 't', limits: { rate: { limit: 1, per: 60_000 } } });
    await add({ id: 'a', tenant: 't' }, { id: 'b', tenant: 't' });
    const { now } = await session().exchange({ claim: 1 });
    const rate = await control('explain', { id: 'b' });
    assert.equal(rate.reason, 'tenant-rate');
    assert.ok(Math.abs((rate.until ?? 0) - now - 60_000) < 5_000, `${(rate.until ?? 0) - now}`);
    await control('limitTenant', { tenant: 't', limits: { rate: undefined, budget: { units: 1, per: 3_600_000 } } });
    await add({ id: 'c', tenant: 'u', cost: 1 });
    await control('limitTenant', { tenant: 'u', limits: { budget: { units: 1, per: 3_600_000 } } });
    await session().claim(5);
    await add({ id: 'd', tenant: 'u', cost: 1 });
    const budget = await control('explain', { id: 'd' });
    assert.equal(budget.reason, 'tenant-budget');
    assert.equal((budget.until ?? 1) % 3_600_000, 0);
  });
};
