import assert from 'node:assert/strict';
import { type Group, idsOf, leaseMs } from './harness.ts';

/** A lease ends by settlement, with its session, or at its own visibility. */
export const leases: Group = (test) => {
  test('the jobs of a silent session go to others, and the attempt counts', async ({ add, session, advance }) => {
    await add('a', 'b');
    const dead = session();
    await dead.claim(2);
    await advance(leaseMs + 50);
    const jobs = await session().claim(2);
    assert.deepEqual(idsOf(jobs), ['a', 'b']);
    assert.deepEqual(
      jobs.map(({ attempt }) => attempt),
      [2, 2],
    );
  });

  test('any exchange keeps the session and all its leases', async ({ add, session, advance }) => {
    await add('a');
    const worker = session();
    const job = await worker.claimOne();
    for (let beat = 0; beat < 4; beat += 1) {
      await advance(leaseMs / 2);
      assert.equal((await worker.exchange()).session, 'open');
    }
    assert.deepEqual(await session().claim(1), []);
    assert.equal(await worker.settle(job, { kind: 'ack' }), 'applied');
  });

  test('a session that is late is told that it is lost, and settles nothing', async ({
    add,
    session,
    advance,
    state,
  }) => {
    await add('a');
    const late = session();
    const job = await late.claimOne();
    await advance(leaseMs + 50);
    const answer = await late.exchange({ settle: [{ kind: 'ack', jobId: job.id, fence: job.fence }], claim: 5 });
    assert.equal(answer.session, 'lost');
    assert.deepEqual(answer.settled, ['stale']);
    assert.deepEqual(answer.claimed, []);
    assert.equal(await state('a'), 'ready');
  });

  test('a lost session stays lost', async ({ add, session, advance }) => {
    await add('a');
    const late = session();
    await late.claimOne();
    await advance(leaseMs + 50);
    await late.exchange();
    const again = await late.exchange({ claim: 1 });
    assert.equal(again.session, 'lost');
    assert.deepEqual(again.claimed, []);
  });

  test('a session that nobody began is lost', async ({ session }) => {
    assert.equal((await session().exchange({ begin: false })).session, 'lost');
  });

  test('what expired is reported once, by whoever swept it', async ({ add, session, advance }) => {
    await add({ id: 'a', tenant: 'acme' });
    const dead = session();
    const { fence } = await dead.claimOne();
    await advance(leaseMs + 50);
    const { swept } = await session().exchange();
    assert.deepEqual(swept.expired, [{ id: 'a', name: 'work', tenant: 'acme', fence, to: 'ready' }]);
    assert.deepEqual((await session().exchange()).swept.expired, []);
  });

  test('a job whose last attempt was lost is dead', async ({ add, session, advance, view }) => {
    await add({ id: 'a', maxAttempts: 1 });
    await session().claimOne();
    await advance(leaseMs + 50);
    const { swept } = await session().exchange({ claim: 1 });
    assert.equal(swept.expired[0]?.to, 'dead');
    const job = await view('a');
    assert.equal(job?.state, 'dead');
    assert.equal(job?.failures.at(-1)?.code, 'ERR_LEASE_LOST');
  });

  test('the end of a session gives its jobs back at once, and no attempt counts', async ({ add, session }) => {
    await add('a', 'b');
    const polite = session();
    await polite.claim(2);
    assert.equal((await polite.exchange({ end: true })).session, 'open');
    const jobs = await session().claim(2);
    assert.deepEqual(idsOf(jobs), ['a', 'b']);
    assert.deepEqual(
      jobs.map(({ attempt }) => attempt),
      [1, 1],
    );
  });

  test('an ended session cannot come back', async ({ session }) => {
    const polite = session();
    await polite.exchange({ end: true });
    assert.equal((await polite.exchange()).session, 'lost');
  });

  test('a session with many jobs ends in bounded steps', async ({ add, session, advance, control }) => {
    await add(...Array.from({ length: 30 }, (_, n) => `j${n}`));
    await session().claim(30);
    await advance(leaseMs + 50);
    const worker = session();
    const first = await worker.exchange({ housekeeping: 10 });
    assert.ok(first.swept.expired.length <= 10, `${first.swept.expired.length} in one call`);
    let expired = first.swept.expired.length;
    for (let call = 0; call < 10 && expired < 30; call += 1) {
      expired += (await worker.exchange({ housekeeping: 10 })).swept.expired.length;
    }
    assert.equal(expired, 30);
    assert.equal((await control('counts', {})).ready, 30);
  });

  test('a visibility of its own ends a lease while the session lives', async ({ add, session, advance, view }) => {
    await add({ id: 'a', visibility: 150 }, 'b');
    const worker = session();
    const jobs = await worker.claim(2);
    assert.equal(jobs[0]?.visibility, 150);
    await advance(200);
    const again = await worker.exchange({ claim: 5 });
    assert.deepEqual(idsOf(again.claimed), ['a']);
    assert.equal(again.claimed[0]?.attempt, 2);
    assert.equal((await view('b'))?.state, 'leased');
  });

  test('extending moves the end of a visibility', async ({ add, session, advance }) => {
    await add({ id: 'a', visibility: 150 });
    const worker = session();
    const job = await worker.claimOne();
    await advance(100);
    const { extended } = await worker.exchange({ extend: [{ jobId: 'a', fence: job.fence, visibility: 300 }] });
    assert.deepEqual(extended, ['applied']);
    await advance(100);
    assert.deepEqual((await worker.exchange({ claim: 1 })).claimed, []);
    assert.equal(await worker.settle(job, { kind: 'ack' }), 'applied');
  });

  test('jobs claimed in a call whose answer was lost go back, and the attempt does not count', async ({
    add,
    session,
  }) => {
    await add('a', 'b');
    const worker = session();
    const kept = await worker.claimOne();
    await worker.exchange({ claim: 1, call: 7 });
    const answer = await worker.exchange({ lostCalls: [7], call: 8, claim: 5 });
    assert.deepEqual(idsOf(answer.claimed), ['b']);
    assert.equal(answer.claimed[0]?.attempt, 1);
    assert.equal(await worker.settle(kept, { kind: 'ack' }), 'applied');
  });

  test('a call given up for lost that arrives late claims nothing', async ({ add, session }) => {
    await add('a');
    const worker = session();
    await worker.exchange({ call: 1 });
    await worker.exchange({ call: 3, lostCalls: [2] });
    assert.deepEqual((await worker.exchange({ call: 2, claim: 1 })).claimed, []);
    assert.deepEqual(idsOf((await worker.exchange({ call: 4, claim: 1 })).claimed), ['a']);
  });

  test('a first call that arrives when its session is over leaves no job with it, once it is told of', async ({
    add,
    session,
    advance,
  }) => {
    await add('a');
    const worker = session();
    await worker.exchange({ call: 2, begin: true, lostCalls: [1], lease: 150 });
    await advance(200);
    await session().exchange();
    await worker.exchange({ call: 1, begin: true, claim: 1, lease: 60_000 });
    await worker.exchange({ call: 3, begin: false, lostCalls: [1], lease: 60_000 });
    const [job] = await session().claim(1);
    assert.equal(job?.id, 'a');
    assert.equal(job?.attempt, 1);
  });

  test('calls of a session that pass each other on the way keep what each of them claimed', async ({
    add,
    session,
  }) => {
    await add('a', 'b', 'c');
    const worker = session();
    await worker.exchange();
    const later = await worker.exchange({ call: 3, claim: 1 });
    const earlier = await worker.exchange({ call: 2, claim: 1 });
    assert.deepEqual(idsOf([...later.claimed, ...earlier.claimed]), ['a', 'b']);
    for (const job of [...later.claimed, ...earlier.claimed]) {
      assert.equal(await worker.settle(job, { kind: 'ack' }), 'applied');
    }
    assert.deepEqual(idsOf(await session().claim(5)), ['c']);
  });

  test('a lost call gives back nothing of another that was under way at the same time', async ({ add, session }) => {
    await add('a', 'b');
    const worker = session();
    await worker.exchange();
    const [, second] = await Promise.all([
      worker.exchange({ call: 2, claim: 1 }),
      worker.exchange({ call: 3, claim: 1 }),
    ]);
    await worker.exchange({ call: 4, lostCalls: [2] });
    const [kept] = second.claimed;
    assert.ok(kept);
    assert.equal(await worker.settle(kept, { kind: 'ack' }), 'applied');
    assert.equal((await session().claim(5)).length, 1);
  });
};
