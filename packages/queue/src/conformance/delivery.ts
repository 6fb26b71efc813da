import assert from 'node:assert/strict';
import type { Group } from './harness.ts';
import { idsOf, newJob } from './harness.ts';

/** At least once, and no more often than leases end. */
export const delivery: Group = (test) => {
  test('a job goes to one worker, with what was enqueued', async ({ add, session }) => {
    await add({
      id: 'a',
      payload: '{"x":"é😀"}',
      tenant: 'acme',
      priority: 3,
      cost: 7,
      maxAttempts: 4,
      traceparent: '00-trace',
    });
    const job = await session().claimOne();
    const { id, name, payload, tenant, priority, cost, maxAttempts, attempt, traceparent, hasChildren } = job;
    assert.deepEqual(
      { id, name, payload, tenant, priority, cost, maxAttempts, attempt, traceparent, hasChildren },
      {
        id: 'a',
        name: 'work',
        payload: '{"x":"é😀"}',
        tenant: 'acme',
        priority: 3,
        cost: 7,
        maxAttempts: 4,
        attempt: 1,
        traceparent: '00-trace',
        hasChildren: false,
      },
    );
    assert.ok(job.waitMs >= 0 && job.fence > 0);
  });

  test('a leased job is not given to anybody else', async ({ add, session }) => {
    await add('a', 'b');
    const [first, second] = [session(), session()];
    assert.deepEqual(idsOf(await first.claim(1)), ['a']);
    assert.deepEqual(idsOf(await second.claim(10)), ['b']);
    assert.deepEqual(await first.claim(10), []);
  });

  test('an acknowledged job is gone', async ({ add, session, state, control }) => {
    await add('a');
    const worker = session();
    assert.equal(await worker.settle(await worker.claimOne(), { kind: 'ack' }), 'applied');
    assert.equal(await state('a'), 'gone');
    const { ready, leased } = await control('counts', {});
    assert.deepEqual({ ready, leased }, { ready: 0, leased: 0 });
    assert.deepEqual(await worker.claim(1), []);
  });

  test('enqueueing an id again is accepted and changes nothing: an answer may have been lost', async ({
    add,
    session,
    control,
  }) => {
    await add({ id: 'a', payload: '"first"' });
    const [answer] = await add({ id: 'a', payload: '"second"' });
    assert.deepEqual(answer, { status: 'accepted', id: 'a' });
    assert.equal((await control('counts', {})).ready, 1);
    assert.equal((await session().claimOne()).payload, '"first"');
  });

  test('a batch may name the same id twice', async ({ add, control }) => {
    await add('a', 'a');
    assert.equal((await control('counts', {})).ready, 1);
  });

  test('a claim takes no more than it asks for and says whether there is more', async ({ add, session }) => {
    await add(...Array.from({ length: 20 }, (_, n) => `j${String(n).padStart(2, '0')}`));
    const worker = session();
    const answer = await worker.exchange({ claim: 15 });
    assert.equal(answer.claimed.length, 15);
    assert.equal(answer.more, true);
    const rest = await worker.exchange({ claim: 15 });
    assert.equal(rest.claimed.length, 5);
    assert.equal(rest.more, false);
  });

  test('settling and claiming happen in one call', async ({ add, session }) => {
    await add('a', 'b');
    const worker = session();
    const job = await worker.claimOne();
    const answer = await worker.exchange({ claim: 1, settle: [{ kind: 'ack', jobId: job.id, fence: job.fence }] });
    assert.deepEqual(answer.settled, ['applied']);
    assert.deepEqual(idsOf(answer.claimed), ['b']);
  });

  test('large batches go through whole', async ({ storage, session, control }) => {
    const jobs = Array.from({ length: 500 }, (_, n) =>
      newJob({ id: `j${n}`, payload: JSON.stringify({ n, pad: 'x'.repeat(200) }) }),
    );
    assert.equal((await storage.enqueue({ jobs })).length, 500);
    const worker = session();
    const claimed = await worker.claim(500);
    assert.equal(new Set(idsOf(claimed)).size, 500);
    const settle = claimed.map(({ id, fence }) => ({ kind: 'ack', jobId: id, fence }) as const);
    assert.ok((await worker.exchange({ settle })).settled.every((outcome) => outcome === 'applied'));
    assert.equal((await control('counts', {})).leased, 0);
  });

  test('workers on two connections share the jobs, each goes to one', async ({ add, session, other }) => {
    await add(...Array.from({ length: 60 }, (_, n) => `j${n}`));
    const workers = [session(), session(other), session(), session(other)];
    const claims = await Promise.all(workers.map((worker) => worker.claim(30)));
    const ids = claims.flatMap(idsOf);
    assert.equal(ids.length, 60);
    assert.equal(new Set(ids).size, 60);
  });

  test('two queues in one store know nothing of each other', async ({ add, adapter, session }) => {
    await add('a');
    const storage = await adapter.open({
      queue: `neighbour-${Date.now()}-${Math.random().toString(36).slice(2)}`,
      clock: {
        now: Date.now,
        monotonic: () => performance.now(),
        setTimeout: () => undefined,
        clearTimeout: () => undefined,
      },
      random: Math.random,
    });
    try {
      await storage.enqueue({ jobs: [newJob({ id: 'a', payload: '"theirs"' })] });
      assert.equal((await session(storage).claimOne()).payload, '"theirs"');
      assert.equal((await session().claimOne()).payload, '{"n":1}');
    } finally {
      await storage.close();
    }
  });
};
