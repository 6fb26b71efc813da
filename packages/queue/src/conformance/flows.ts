import assert from 'node:assert/strict';
import { type Fixture, failure, type Group, idsOf, newJob } from './harness.ts';

async function family({ storage }: Fixture, onFailure: 'fail-parent' | 'ignore' = 'fail-parent'): Promise<void> {
  await storage.enqueue({
    atomic: true,
    jobs: [
      newJob({ id: 'parent', children: 2 }),
      newJob({ id: 'one', parentId: 'parent', onFailure }),
      newJob({ id: 'two', parentId: 'parent', onFailure }),
    ],
  });
}

/** A parent waits for its children. */
export const flows: Group = (test) => {
  test('the parent starts when all children have ended, and sees their results', async (fixture) => {
    await family(fixture);
    const worker = fixture.session();
    const children = await worker.claim(5);
    assert.deepEqual(idsOf(children), ['one', 'two']);
    assert.deepEqual(await fixture.control('explain', { id: 'parent' }), { reason: 'waits-for-children' });
    for (const child of children) {
      assert.equal(await fixture.state('parent'), 'delayed');
      await worker.settle(child, { kind: 'ack', result: `"${child.id}"` });
    }
    const parent = await worker.claimOne();
    assert.equal(parent.id, 'parent');
    assert.equal(parent.hasChildren, true);
    const views = await fixture.control('children', { parentId: 'parent' });
    assert.deepEqual(
      views.map(({ id, state, result }) => [id, state, result]),
      [
        ['one', 'succeeded', '"one"'],
        ['two', 'succeeded', '"two"'],
      ],
    );
    await worker.settle(parent, { kind: 'ack' });
    assert.deepEqual(await fixture.control('children', { parentId: 'parent' }), []);
  });

  test('the parent and the last child may meet in one call', async (fixture) => {
    await family(fixture);
    const worker = fixture.session();
    const children = await worker.claim(2);
    const settle = children.map(({ id, fence }) => ({ kind: 'ack', jobId: id, fence }) as const);
    assert.deepEqual(idsOf((await worker.exchange({ settle, claim: 1 })).claimed), ['parent']);
  });

  test('a child that ends dead takes the parent with it', async (fixture) => {
    await family(fixture);
    const worker = fixture.session();
    const [one, two] = await worker.claim(2);
    assert.ok(one && two);
    await worker.settle(one, { kind: 'dead', failure: failure() });
    const parent = await fixture.view('parent');
    assert.equal(parent?.state, 'dead');
    assert.equal(parent?.failures.at(-1)?.code, 'ERR_CHILD_FAILED');
    assert.equal(await worker.settle(two, { kind: 'ack' }), 'applied');
    assert.equal(await fixture.state('parent'), 'dead');
  });

  test('what a parent knows of its children goes with it, not before: it may be redriven', async (fixture) => {
    const childrenOf = async (): Promise<unknown[]> =>
      (await fixture.control('children', { parentId: 'parent' })).map(({ id, state, result }) => [id, state, result]);
    const known = [
      ['one', 'succeeded', '"1"'],
      ['two', 'succeeded', '"2"'],
    ];
    await family(fixture);
    const worker = fixture.session();
    const [one, two] = await worker.claim(2);
    assert.ok(one && two);
    await worker.settle(one, { kind: 'ack', result: '"1"' });
    await worker.settle(two, { kind: 'ack', result: '"2"' });
    await worker.settle(await worker.claimOne(), { kind: 'dead', failure: failure() });
    assert.deepEqual(await childrenOf(), known);
    assert.equal(await fixture.control('redrive', { ids: ['parent'], spacing: 0, offset: 0 }), 1);
    const again = await worker.claimOne();
    assert.equal(again.hasChildren, true);
    assert.deepEqual(await childrenOf(), known);
    await worker.settle(again, { kind: 'dead', failure: failure() });
    assert.equal(await fixture.control('purge', { ids: ['parent'] }), 1);
    assert.deepEqual(await childrenOf(), []);
    // A new parent of that name knows nothing of the children of the old one.
    await fixture.storage.enqueue({ jobs: [newJob({ id: 'parent', children: 1 })] });
    assert.deepEqual(await childrenOf(), []);
  });

  test('a child whose failure is ignored counts as ended', async (fixture) => {
    await family(fixture, 'ignore');
    const worker = fixture.session();
    const [one, two] = await worker.claim(2);
    assert.ok(one && two);
    await worker.settle(one, { kind: 'dead', failure: failure('lost') });
    await worker.settle(two, { kind: 'cancelled' });
    assert.equal((await worker.claimOne()).id, 'parent');
    const views = await fixture.control('children', { parentId: 'parent' });
    assert.deepEqual(
      views.map(({ id, state, failure: seen }) => [id, state, seen?.message]),
      [
        ['one', 'dead', 'lost'],
        ['two', 'cancelled', undefined],
      ],
    );
  });

  test('a cancelled child takes the parent with it', async (fixture) => {
    await family(fixture);
    await fixture.control('cancel', { ids: ['one'] });
    assert.equal(await fixture.state('parent'), 'dead');
  });

  test('families may have grandchildren', async ({ storage, session }) => {
    await storage.enqueue({
      atomic: true,
      jobs: [
        newJob({ id: 'top', children: 1 }),
        newJob({ id: 'middle', parentId: 'top', children: 1 }),
        newJob({ id: 'leaf', parentId: 'middle' }),
      ],
    });
    const worker = session();
    for (const expected of ['leaf', 'middle', 'top']) {
      const job = await worker.claimOne();
      assert.equal(job.id, expected);
      await worker.settle(job, { kind: 'ack' });
    }
  });

  test('repeating the request changes nothing', async (fixture) => {
    await family(fixture);
    await family(fixture);
    const { ready, delayed } = await fixture.control('counts', {});
    assert.deepEqual({ ready, delayed }, { ready: 2, delayed: 1 });
  });
};
