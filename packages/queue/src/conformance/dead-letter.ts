import assert from 'node:assert/strict';
import { type Fixture, failure, type Group, idsOf } from './harness.ts';

async function kill({ add, session }: Fixture, ids: readonly string[], message = 'broken'): Promise<void> {
  await add(...ids);
  const worker = session();
  for (const job of await worker.claim(ids.length)) {
    await worker.settle(job, { kind: 'dead', failure: failure(message) });
  }
}

/** Dead letters can be looked at, sent back and removed. */
export const deadLetter: Group = (test) => {
  test('a dead job is out of the way and can be listed', async (fixture) => {
    await kill(fixture, ['a', 'b']);
    assert.deepEqual(await fixture.session().claim(5), []);
    const { items } = await fixture.control('list', { filter: { state: 'dead' }, limit: 10 });
    assert.deepEqual(idsOf(items), ['a', 'b']);
    assert.equal(items[0]?.failures.at(-1)?.message, 'broken');
    assert.equal(items[0]?.finishedAt !== undefined, true);
    const { dead, ready, leased } = await fixture.control('counts', {});
    assert.deepEqual({ dead, ready, leased }, { dead: 2, ready: 0, leased: 0 });
  });

  test('pages go on where the last ended', async (fixture) => {
    await kill(fixture, ['a', 'b', 'c', 'd', 'e']);
    const first = await fixture.control('list', { filter: { state: 'dead' }, limit: 2 });
    assert.deepEqual(idsOf(first.items), ['a', 'b']);
    const ids: string[] = [];
    let cursor = first.cursor;
    while (cursor !== undefined) {
      const page = await fixture.control('list', { filter: { state: 'dead' }, limit: 2, cursor });
      ids.push(...idsOf(page.items));
      cursor = page.cursor;
    }
    assert.deepEqual(ids, ['c', 'd', 'e']);
  });

  test('errors are grouped by fingerprint, most frequent first', async (fixture) => {
    await kill(fixture, ['a'], 'rare');
    await kill(fixture, ['b', 'c', 'd'], 'common');
    const groups = await fixture.control('errorGroups', { limit: 10 });
    assert.deepEqual(
      groups.map(({ fingerprint, count }) => [fingerprint, count]),
      [
        ['Error common', 3],
        ['Error rare', 1],
      ],
    );
    assert.equal(groups[1]?.sampleId, 'a');
    assert.equal(groups[1]?.message, 'rare');
    const filter = { state: 'dead', fingerprint: 'Error rare' } as const;
    assert.equal(await fixture.control('count', { filter }), 1);
    assert.deepEqual(idsOf((await fixture.control('list', { filter, limit: 10 })).items), ['a']);
  });

  test('redriving gives all attempts again', async (fixture) => {
    await kill(fixture, ['a']);
    assert.equal(await fixture.control('redrive', { ids: ['a', 'nothing'], spacing: 0, offset: 0 }), 1);
    assert.equal((await fixture.session().claimOne()).attempt, 1);
    assert.equal((await fixture.control('counts', {})).dead, 0);
  });

  test('redriving at a rate spreads the jobs', async (fixture) => {
    await kill(fixture, ['a', 'b', 'c']);
    await fixture.control('redrive', { ids: ['a', 'b', 'c'], spacing: 200, offset: 0 });
    const worker = fixture.session();
    assert.deepEqual(idsOf(await worker.claim(3)), ['a']);
    await fixture.advance(250);
    assert.deepEqual(idsOf(await worker.claim(3)), ['b']);
  });

  test('purging removes finished jobs only', async (fixture) => {
    await kill(fixture, ['a']);
    await fixture.add('b');
    assert.equal(await fixture.control('purge', { ids: ['a', 'b'] }), 1);
    assert.equal(await fixture.state('a'), 'gone');
    assert.equal(await fixture.state('b'), 'ready');
    assert.equal((await fixture.control('counts', {})).dead, 0);
  });

  test('an id that is named twice counts once, and so does its job', async (fixture) => {
    const { control, session } = fixture;
    await fixture.add({ id: 'a', maxAttempts: 1 }, { id: 'b', maxAttempts: 1 }, { id: 'c', delay: 60_000 });
    const worker = session();
    for (const job of await worker.claim(2)) await worker.settle(job, { kind: 'dead', failure: failure() });
    assert.equal(await control('redrive', { ids: ['a', 'a'], spacing: 0, offset: 0 }), 1);
    assert.equal(await control('purge', { ids: ['b', 'b'] }), 1);
    assert.equal(await control('promote', { ids: ['c', 'c'] }), 1);
    const { ready, delayed, dead } = await control('counts', {});
    assert.deepEqual({ ready, delayed, dead }, { ready: 2, delayed: 0, dead: 0 });
  });
};
