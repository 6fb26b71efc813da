import assert from 'node:assert/strict';
import { failure, type Group, idsOf } from './harness.ts';

/** Priority class, then tenants in turn, then first in, first out; nobody starves. */
export const ordering: Group = (test) => {
  test('first in, first out', async ({ add, session }) => {
    const ids = Array.from({ length: 30 }, (_, n) => `j${String(29 - n).padStart(2, '0')}`);
    for (const id of ids) await add(id);
    assert.deepEqual(idsOf(await session().claim(30)), ids);
  });

  test('first in, first out inside one batch', async ({ add, session }) => {
    const ids = ['z', 'b', 'y', 'a', 'm'];
    await add(...ids);
    assert.deepEqual(idsOf(await session().claim(5)), ids);
  });

  test('a higher priority goes first', async ({ add, session }) => {
    await add({ id: 'low', priority: -5 }, 'normal', { id: 'top', priority: 1_000 }, { id: 'high', priority: 10 });
    assert.deepEqual(idsOf(await session().claim(4)), ['top', 'high', 'normal', 'low']);
  });

  test('priority counts across tenants', async ({ add, session }) => {
    await add({ id: 'a', tenant: 'a' }, { id: 'b', tenant: 'b', priority: 5 }, { id: 'c', tenant: 'c', priority: 9 });
    assert.deepEqual(idsOf(await session().claim(3)), ['c', 'b', 'a']);
  });

  test('first in, first out inside each of many priorities', async ({ add, session }) => {
    const jobs = Array.from({ length: 60 }, (_, n) => ({
      id: `j${String(n).padStart(2, '0')}`,
      priority: (n * 7) % 6,
    }));
    await add(...jobs);
    const expected = [...jobs].sort((a, b) => b.priority - a.priority || a.id.localeCompare(b.id));
    assert.deepEqual(idsOf(await session().claim(60)), idsOf(expected));
  });

  test('a job that was given back takes its old place', async ({ add, session }) => {
    await add('a', 'b', 'c', 'd');
    const worker = session();
    const [a, b] = await worker.claim(3);
    assert.ok(a && b);
    await worker.settle(b, { kind: 'release' });
    await worker.settle(a, { kind: 'release' });
    assert.deepEqual(idsOf(await worker.claim(4)), ['a', 'b', 'd']);
  });

  test('a job that failed goes to the end', async ({ add, session, advance }) => {
    await add('a', 'b');
    const worker = session();
    const job = await worker.claimOne();
    await advance(5);
    await worker.settle(job, { kind: 'retry', delay: 0, failure: failure() });
    assert.deepEqual(idsOf(await worker.claim(2)), ['b', 'a']);
  });

  test('a low class is not starved: it gets a turn when it has waited long enough', async ({
    add,
    session,
    advance,
    control,
  }) => {
    await control('configure', { aging: 100 });
    await add({ id: 'low', tenant: 'poor', priority: 0 });
    await add(...Array.from({ length: 20 }, (_, n) => ({ id: `h${n}`, tenant: 'rich', priority: 3 })));
    const worker = session();
    assert.equal((await worker.claimOne()).tenant, 'rich');
    await advance(350);
    const turn = await worker.claim(2);
    assert.ok(idsOf(turn).includes('low'), `after 350 ms of 300: ${idsOf(turn).join(' ')}`);
  });

  test('a low class of the same tenant is not starved either', async ({ add, session, advance, control }) => {
    await control('configure', { aging: 50 });
    await add({ id: 'low', priority: 0 });
    await advance(400);
    await add(...Array.from({ length: 5 }, (_, n) => ({ id: `h${n}`, priority: 3 })));
    assert.equal(
      (await session().claim(3)).some(({ id }) => id === 'low'),
      true,
    );
  });

  test('a tenant with old jobs of a low class keeps its place in a high one', async ({
    add,
    session,
    advance,
    control,
  }) => {
    await control('configure', { aging: 50 });
    await add(...['low1', 'low2', 'low3'].map((id) => ({ id, tenant: 'a', priority: 0 })));
    await advance(400);
    await add({ id: 'high', tenant: 'a', priority: 3 });
    await add(...Array.from({ length: 6 }, (_, n) => ({ id: `b${n}`, tenant: 'b', priority: 3 })));
    const ids = idsOf(await session().claim(5));
    assert.ok(ids.includes('high'), ids.join(' '));
  });

  test('without aging priorities are strict', async ({ add, session, advance, control }) => {
    await control('configure', { aging: 0 });
    await add({ id: 'low', tenant: 'a', priority: 0 });
    await advance(500);
    await add({ id: 'high', tenant: 'b', priority: 1 });
    assert.deepEqual(idsOf(await session().claim(2)), ['high', 'low']);
  });

  test('the priority of a waiting job can be changed', async ({ add, session, control }) => {
    await add('a', 'b', { id: 'c', delay: 60_000 });
    assert.equal(await control('setPriority', { ids: ['b', 'c', 'nothing'], priority: 7 }), 2);
    const [first, second] = await session().claim(2);
    assert.deepEqual([first?.id, first?.priority, second?.id], ['b', 7, 'a']);
  });
};
