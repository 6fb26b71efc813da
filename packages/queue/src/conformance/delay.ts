import assert from 'node:assert/strict';
import { failure, type Group, idsOf } from './harness.ts';

/** Not before its time, and then without anybody's help. */
export const delay: Group = (test) => {
  test('a delayed job waits for its time', async ({ add, session, advance, state }) => {
    await add({ id: 'a', delay: 200 });
    const worker = session();
    assert.deepEqual(await worker.claim(1), []);
    assert.equal(await state('a'), 'delayed');
    await advance(250);
    const answer = await worker.exchange({ claim: 1 });
    assert.deepEqual(idsOf(answer.claimed), ['a']);
    assert.equal(answer.swept.promoted, 1);
  });

  test('the answer says when the next job is due', async ({ add, session }) => {
    await add({ id: 'a', delay: 60_000 }, { id: 'b', delay: 5_000 });
    const { nextDue } = await session().exchange({ lease: 600_000 });
    assert.ok(nextDue !== undefined && nextDue > 4_000 && nextDue <= 5_000, `nextDue ${nextDue}`);
  });

  test('delayed jobs become ready in the order of their times', async ({ add, session, advance }) => {
    await add({ id: 'c', delay: 90 }, { id: 'a', delay: 30 }, { id: 'b', delay: 60 });
    await advance(150);
    assert.deepEqual(idsOf(await session().claim(3)), ['a', 'b', 'c']);
  });

  test('promotion is bounded per call', async ({ add, session, advance }) => {
    await add(...Array.from({ length: 25 }, (_, n) => ({ id: `j${n}`, delay: 10 })));
    await advance(50);
    const worker = session();
    const first = await worker.exchange({ housekeeping: 10 });
    assert.ok(first.swept.promoted <= 10);
    let promoted = first.swept.promoted;
    for (let call = 0; call < 5; call += 1) promoted += (await worker.exchange({ housekeeping: 10 })).swept.promoted;
    assert.equal(promoted, 25);
  });

  test('a delayed job can be made ready now', async ({ add, session, control }) => {
    await add({ id: 'a', delay: 60_000 }, { id: 'b', delay: 60_000 });
    assert.equal(await control('promote', { ids: ['b', 'nothing'] }), 1);
    assert.deepEqual(idsOf(await session().claim(2)), ['b']);
  });

  test('a snoozed job comes back later, and the attempt does not count', async ({ add, session, advance }) => {
    await add('a');
    const worker = session();
    const job = await worker.claimOne();
    await worker.settle(job, { kind: 'snooze', delay: 150 });
    assert.deepEqual(await worker.claim(1), []);
    await advance(200);
    assert.equal((await worker.claimOne()).attempt, 1);
  });

  test('a retry waits for its delay', async ({ add, session, advance }) => {
    await add('a');
    const worker = session();
    await worker.settle(await worker.claimOne(), { kind: 'retry', delay: 150, failure: failure() });
    assert.deepEqual(await worker.claim(1), []);
    await advance(200);
    assert.equal((await worker.claimOne()).attempt, 2);
  });
};
