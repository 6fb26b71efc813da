import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { ClaimedJob, Hint, QueueStorage } from '../contract/index.ts';
import { eventually, type Fixture, type Group, idsOf, leaseMs, type TestSession } from './harness.ts';

function listen(storage: QueueStorage): { readonly heard: Hint[]; stop(): void } {
  const heard: Hint[] = [];
  return { heard, stop: storage.watch((hint) => heard.push(hint)) };
}

/** Offers of a session, and what it is handed. */
interface Offering {
  readonly handedOff: ClaimedJob[];
  /** Its call `call` offers to take two jobs as call `call + 1`. */
  offer(call: number): Promise<void>;
}

/** A session to which the store is known to hand jobs over; undefined where it hands nothing over. */
async function offering({ storage, add }: Fixture, worker: TestSession): Promise<Offering | undefined> {
  const handedOff: ClaimedJob[] = [];
  if (storage.handOffs?.(worker.id, ({ jobs }) => handedOff.push(...jobs)) === undefined) return undefined;
  const offer = async (call: number): Promise<void> => {
    await worker.exchange({ call, claim: 2, offer: { call: call + 1, within: leaseMs / 2 } });
  };
  let call = 1;
  // Until a probe arrives the store may not have heard that somebody listens.
  await eventually(async () => {
    const { claimed } = await worker.exchange({ call, claim: 2, offer: { call: call + 1, within: leaseMs / 2 } });
    for (const job of claimed) await worker.settle(job, { kind: 'ack' });
    if (claimed.length === 0) await add(`probe-${call}`);
    await wait(10);
    call += 2;
    return handedOff.length > 0;
  }, 'the first hand-off');
  for (const job of handedOff.splice(0)) await worker.settle(job, { kind: 'ack' });
  return { handedOff, offer };
}

/** Hints make waiting short; nothing depends on them. */
export const hints: Group = (test) => {
  test('the other connection hears of new jobs, of cancellations and of ends', async ({
    add,
    session,
    other,
    control,
  }) => {
    const { heard, stop } = listen(other);
    try {
      await eventually(async () => {
        await add(`a${heard.length}-${Math.random()}`);
        return heard.includes('ready');
      }, 'a hint about new jobs');
      const worker = session();
      const job = await worker.claimOne();
      await control('cancel', { ids: [job.id] });
      await eventually(() => heard.includes('cancel'), 'a hint about the cancellation');
      await worker.settle(job, { kind: 'cancelled' });
      await eventually(() => heard.includes('finished'), 'a hint about the end');
    } finally {
      stop();
    }
  });

  test('an offer is answered with jobs, leased like claimed ones, where the store hands them over', async (fixture) => {
    const { add, session, state } = fixture;
    const worker = session();
    const offers = await offering(fixture, worker);
    if (offers === undefined) return;
    const { handedOff } = offers;
    await offers.offer(1_000);
    await add('a', 'b', 'c');
    await eventually(() => handedOff.length === 2, 'two jobs handed over');
    assert.deepEqual(idsOf(handedOff), ['a', 'b']);
    assert.equal(await state('a'), 'leased');
    assert.equal(await state('c'), 'ready');
    const [first] = handedOff;
    assert.ok(first);
    assert.equal(await worker.settle(first, { kind: 'ack' }), 'applied');
    const [later] = await session().claim(1);
    assert.ok(later && later.fence > Math.max(...handedOff.map(({ fence }) => fence)));
  });

  test('an offer is over with the next call, which gives back what was lost on the way', async (fixture) => {
    const { add, session, state } = fixture;
    const worker = session();
    const offers = await offering(fixture, worker);
    if (offers === undefined) return;
    await offers.offer(1_000);
    await add('a');
    assert.equal(await state('a'), 'leased');
    const again = await worker.exchange({ call: 1_002, lostCalls: [1_001], claim: 1 });
    assert.deepEqual(idsOf(again.claimed), ['a']);
    assert.equal(again.claimed[0]?.attempt, 1);
    await add('b');
    assert.equal(await state('b'), 'ready');
  });

  test('a paused queue hands nothing over, nor does an offer whose time is over', async (fixture) => {
    const { add, session, state, control, advance } = fixture;
    const offers = await offering(fixture, session());
    if (offers === undefined) return;
    await offers.offer(1_000);
    await control('pause', {});
    await add('a');
    assert.equal(await state('a'), 'ready');
    await control('resume', {});
    await advance(leaseMs / 2 + 50);
    await add('b');
    assert.equal(await state('b'), 'ready');
  });

  test('who has stopped listening hears nothing', async ({ add, storage }) => {
    const { heard, stop } = listen(storage);
    stop();
    await add('a');
    assert.deepEqual(heard, []);
  });
};
