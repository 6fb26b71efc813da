import assert from 'node:assert/strict';
import type { RetentionRule } from '../contract/index.ts';
import { type Fixture, failure, type Group, idsOf } from './harness.ts';

const open: RetentionRule = { age: 600_000, count: 1_000, bytes: 1_000_000 };

async function finish({ add, session, advance }: Fixture, kind: 'ack' | 'dead', ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await add(id);
    const worker = session();
    await worker.settle(await worker.claimOne(), { kind, failure: failure(), result: '"r"' });
    await advance(2);
  }
}

async function kept(fixture: Fixture, state: 'succeeded' | 'dead'): Promise<string[]> {
  await fixture.session().exchange();
  return idsOf((await fixture.control('list', { filter: { state }, limit: 100 })).items);
}

/** Finished jobs are kept by age, count and bytes. */
export const retention: Group = (test) => {
  test('by default successes are forgotten and dead jobs are kept', async (fixture) => {
    await finish(fixture, 'ack', ['a']);
    await finish(fixture, 'dead', ['b']);
    assert.deepEqual(await kept(fixture, 'succeeded'), []);
    assert.deepEqual(await kept(fixture, 'dead'), ['b']);
  });

  test('the newest are kept up to a count', async (fixture) => {
    await fixture.control('configure', { retention: { succeeded: { ...open, count: 2 } } });
    await finish(fixture, 'ack', ['a', 'b', 'c', 'd']);
    assert.deepEqual(await kept(fixture, 'succeeded'), ['c', 'd']);
    assert.equal((await fixture.control('counts', {})).succeeded, 2);
  });

  test('the newest are kept up to a size', async (fixture) => {
    await fixture.control('configure', { retention: { dead: { ...open, bytes: 45 } } });
    await finish(fixture, 'dead', ['a', 'b', 'c', 'd', 'e']);
    const left = await kept(fixture, 'dead');
    assert.ok(left.length >= 1 && left.length <= 3, left.join(' '));
    assert.equal(left.at(-1), 'e');
  });

  test('they are kept for a time', async (fixture) => {
    await fixture.control('configure', { retention: { succeeded: { ...open, age: 200 } } });
    await finish(fixture, 'ack', ['a']);
    assert.deepEqual(await kept(fixture, 'succeeded'), ['a']);
    await fixture.advance(250);
    assert.deepEqual(await kept(fixture, 'succeeded'), []);
  });

  test('a rule that becomes stricter is carried out in bounded steps', async (fixture) => {
    await fixture.control('configure', { retention: { succeeded: open } });
    await finish(
      fixture,
      'ack',
      Array.from({ length: 12 }, (_, n) => `j${n}`),
    );
    await fixture.control('configure', { retention: { succeeded: { ...open, count: 1 } } });
    const worker = fixture.session();
    const first = await worker.exchange({ housekeeping: 5 });
    assert.equal(first.swept.forgotten, 5);
    for (let call = 0; call < 3; call += 1) await worker.exchange({ housekeeping: 5 });
    assert.deepEqual(await kept(fixture, 'succeeded'), ['j11']);
  });
};
