import assert from 'node:assert/strict';
import { failure, type Group, leaseMs } from './harness.ts';

/** A stale fence has no effect. */
export const fencing: Group = (test) => {
  test('fences grow with every claim of the queue', async ({ add, session }) => {
    await add('a', 'b', 'c');
    const worker = session();
    const fences: number[] = [];
    for (let claim = 0; claim < 3; claim += 1) fences.push((await worker.claimOne()).fence);
    const [job] = await add('d').then(() => worker.claim(1));
    fences.push(job?.fence ?? 0);
    assert.deepEqual(
      fences,
      [...fences].sort((a, b) => a - b),
    );
    assert.equal(new Set(fences).size, fences.length);
  });

  test('a job claimed again has a larger fence', async ({ add, session, advance }) => {
    await add('a');
    const first = await session().claimOne();
    await advance(leaseMs + 50);
    const second = await session().claimOne();
    assert.ok(second.fence > first.fence);
  });

  for (const kind of ['ack', 'retry', 'snooze', 'release', 'dead', 'cancelled'] as const) {
    test(`${kind} with a fence of the past changes nothing`, async ({ add, session, view }) => {
      await add('a');
      const worker = session();
      const stale = await worker.claimOne();
      await worker.settle(stale, { kind: 'release' });
      const fresh = await worker.claimOne();
      const before = await view('a');
      const ending = { kind, delay: 0, failure: failure() };
      assert.equal(await worker.settle(stale, ending), 'stale');
      assert.deepEqual(await view('a'), before);
      assert.equal(await worker.settle(fresh, { kind: 'ack' }), 'applied');
    });
  }

  test("nobody settles another session's lease", async ({ add, session, state }) => {
    await add('a');
    const owner = session();
    const job = await owner.claimOne();
    assert.equal(await session().settle(job, { kind: 'ack' }), 'stale');
    assert.equal(await state('a'), 'leased');
    assert.equal(await owner.settle(job, { kind: 'ack' }), 'applied');
  });

  test('of many acknowledgements in one call those with the fence of another job change nothing', async ({
    add,
    session,
    state,
  }) => {
    await add('a', 'b', 'c', 'd');
    const worker = session();
    const jobs = await worker.claim(4);
    const [a = 0, b = 0, c = 0, d = 0] = jobs.map(({ fence }) => fence);
    const ack = (jobId: string, fence: number) => ({ kind: 'ack', jobId, fence }) as const;
    const { settled } = await worker.exchange({ settle: [ack('d', d), ack('b', c), ack('c', b), ack('a', a)] });
    assert.deepEqual(settled, ['applied', 'stale', 'stale', 'applied']);
    assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map(state)), ['gone', 'leased', 'leased', 'gone']);
    const later = await worker.exchange({ settle: [ack('c', c), ack('b', b)] });
    assert.deepEqual(later.settled, ['applied', 'applied']);
  });

  test('a second acknowledgement is stale', async ({ add, session }) => {
    await add('a');
    const worker = session();
    const job = await worker.claimOne();
    await worker.settle(job, { kind: 'ack' });
    assert.equal(await worker.settle(job, { kind: 'ack' }), 'stale');
  });

  test('of two settlements in one call the first counts', async ({ add, session, state }) => {
    await add('a');
    const worker = session();
    const { id: jobId, fence } = await worker.claimOne();
    const { settled } = await worker.exchange({
      settle: [
        { kind: 'ack', jobId, fence },
        { kind: 'dead', jobId, fence, failure: failure() },
      ],
    });
    assert.deepEqual(settled, ['applied', 'stale']);
    assert.equal(await state('a'), 'gone');
  });

  test('stale extensions and progress are refused', async ({ add, session, view }) => {
    await add({ id: 'a', visibility: 10_000 });
    const worker = session();
    const { fence } = await worker.claimOne();
    const answer = await worker.exchange({
      extend: [{ jobId: 'a', fence: fence + 1, visibility: 99_000 }],
      progress: [{ jobId: 'a', fence: fence - 1, value: '"no"' }],
    });
    assert.deepEqual([answer.extended, answer.progressed], [['stale'], ['stale']]);
    assert.equal((await view('a'))?.progress, undefined);
  });

  test('a job that never was is stale, not an error', async ({ session }) => {
    const { settled } = await session().exchange({ settle: [{ kind: 'ack', jobId: 'nothing', fence: 1 }] });
    assert.deepEqual(settled, ['stale']);
  });
};
