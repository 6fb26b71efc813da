import assert from 'node:assert/strict';
import { failure, type Group, idsOf, leaseMs } from './harness.ts';

const many = (tenant: string, count: number, more: object = {}): { id: string; tenant: string }[] =>
  Array.from({ length: count }, (_, n) => ({ id: `${tenant}${n}`, tenant, ...more }));

/** Caps hold at every moment, and who is capped stands in nobody's way. */
export const limits: Group = (test) => {
  test('a tenant never has more leases than its cap, over all workers', async ({ add, session, other, control }) => {
    await control('limitTenant', { tenant: 'a', limits: { maxLeased: 3 } });
    await add(...many('a', 10), ...many('b', 4));
    const claims = await Promise.all([session().claim(10), session(other).claim(10)]);
    const jobs = claims.flat();
    assert.equal(jobs.filter(({ tenant }) => tenant === 'a').length, 3);
    assert.equal(jobs.filter(({ tenant }) => tenant === 'b').length, 4);
  });

  for (const kind of ['ack', 'retry', 'snooze', 'release', 'dead', 'cancelled'] as const) {
    test(`${kind} makes room under a cap`, async ({ add, session, control }) => {
      await control('limitTenant', { tenant: 'a', limits: { maxLeased: 1 } });
      await add(...many('a', 2));
      const worker = session();
      const job = await worker.claimOne();
      assert.deepEqual(await worker.claim(1), []);
      const ending = { kind, delay: 60_000, failure: failure() };
      await worker.settle(job, ending);
      assert.equal((await worker.claim(5)).length, 1);
    });
  }

  test('an expired lease makes room under a cap', async ({ add, session, control, advance }) => {
    await control('limitTenant', { tenant: 'a', limits: { maxLeased: 1 } });
    await add(...many('a', 2));
    await session().claimOne();
    await advance(leaseMs + 50);
    assert.equal((await session().claim(5)).length, 1);
  });

  test('a capped tenant with a long backlog blocks nobody', async ({ add, session, control }) => {
    await control('limitTenant', { tenant: 'big', limits: { maxLeased: 1 } });
    await add(...many('big', 100, { priority: 9 }), ...many('b', 2), ...many('c', 2));
    assert.equal((await session().claim(20)).length, 5);
  });

  test('a changed cap counts at once: raised, lowered, removed', async ({ add, session, other, control }) => {
    await control('limitTenant', { tenant: 'a', limits: { maxLeased: 1 } });
    await add(...many('a', 10));
    const worker = session(other);
    assert.equal((await worker.claim(10)).length, 1);
    await control('limitTenant', { tenant: 'a', limits: { maxLeased: 3 } });
    assert.equal((await worker.claim(10)).length, 2);
    await control('limitTenant', { tenant: 'a', limits: { maxLeased: 2 } });
    assert.equal((await worker.claim(10)).length, 0);
    await control('limitTenant', { tenant: 'a', limits: { maxLeased: undefined } });
    assert.equal((await worker.claim(10)).length, 7);
  });

  test('defaults count for tenants without limits of their own, and change at once', async ({
    add,
    session,
    control,
  }) => {
    await control('configure', { tenantDefaults: { maxLeased: 1 } });
    await control('limitTenant', { tenant: 'b', limits: { maxLeased: 2 } });
    await add(...many('a', 4), ...many('b', 4));
    const worker = session();
    assert.deepEqual((await worker.claim(9)).map(({ tenant }) => tenant).sort(), ['a', 'b', 'b']);
    await control('configure', { tenantDefaults: { maxLeased: 3 } });
    assert.deepEqual(
      (await worker.claim(9)).map(({ tenant }) => tenant),
      ['a', 'a'],
    );
  });

  test('the queue as a whole has a cap', async ({ add, session, other, control }) => {
    await control('configure', { limits: { maxLeased: 4 } });
    await add(...many('a', 5), ...many('b', 5));
    const worker = session();
    const first = await worker.claim(3);
    assert.equal((await session(other).claim(9)).length, 1);
    assert.equal((await worker.claim(9)).length, 0);
    const [job] = first;
    assert.ok(job);
    await worker.settle(job, { kind: 'ack' });
    assert.equal((await worker.claim(9)).length, 1);
  });

  test('a tenant starts no faster than its rate', async ({ add, session, control, advance }) => {
    await control('limitTenant', { tenant: 'a', limits: { rate: { limit: 10, per: 2_000, burst: 2 } } });
    await add(...many('a', 10), ...many('b', 2));
    const worker = session();
    assert.equal((await worker.claim(9)).filter(({ tenant }) => tenant === 'a').length, 2);
    const answer = await worker.exchange({ claim: 9 });
    assert.equal(answer.claimed.length, 0);
    assert.ok(answer.nextDue !== undefined && answer.nextDue <= 250, `nextDue ${answer.nextDue}`);
    await advance(220);
    assert.equal((await worker.claim(9)).length, 1);
  });

  test('the queue as a whole has a rate', async ({ add, session, control, advance }) => {
    await control('configure', { limits: { rate: { limit: 10, per: 2_000, burst: 3 } } });
    await add(...many('a', 5), ...many('b', 5));
    const worker = session();
    assert.equal((await worker.claim(9)).length, 3);
    assert.equal((await worker.claim(9)).length, 0);
    await advance(220);
    assert.equal((await worker.claim(9)).length, 1);
  });

  test('a budget counts estimates at claim and actual costs at settlement', async ({ add, session, control }) => {
    await control('limitTenant', { tenant: 'a', limits: { budget: { units: 10, per: 86_400_000 } } });
    await add(...many('a', 6, { cost: 5 }), ...many('b', 1));
    const worker = session();
    const jobs = await worker.claim(9);
    assert.equal(jobs.filter(({ tenant }) => tenant === 'a').length, 2);
    const [first, second] = jobs.filter(({ tenant }) => tenant === 'a');
    assert.ok(first && second);
    await worker.settle(first, { kind: 'ack', cost: 0 });
    const [third] = await worker.claim(9);
    assert.equal(third?.tenant, 'a');
    await worker.settle(second, { kind: 'ack', cost: 5 });
    assert.deepEqual(await worker.claim(9), []);
    const { items } = await control('tenants', { limit: 10 });
    assert.equal(items.find(({ tenant }) => tenant === 'a')?.spent, 10);
  });

  test('a job too dear for what is left of a budget holds its class back, not the cheaper jobs of other classes', async ({
    add,
    session,
    control,
  }) => {
    await control('limitTenant', { tenant: 'a', limits: { budget: { units: 10, per: 86_400_000 } } });
    const dear = { tenant: 'a', priority: 5, cost: 8 };
    await add({ ...dear, id: 'dear1' }, { ...dear, id: 'dear2' }, { ...dear, id: 'behind', cost: 1 });
    await add(
      { tenant: 'a', id: 'cheap1', cost: 1 },
      { tenant: 'a', id: 'cheap2', cost: 1 },
      { tenant: 'a', id: 'over', cost: 1 },
    );
    const worker = session();
    const jobs = await worker.claim(9);
    assert.deepEqual(idsOf(jobs), ['dear1', 'cheap1', 'cheap2']);
    assert.equal((await control('explain', { id: 'dear2' })).reason, 'tenant-budget');
    const [first] = jobs;
    assert.ok(first);
    await worker.settle(first, { kind: 'ack', cost: 0 });
    assert.deepEqual(idsOf(await worker.claim(9)), ['dear2']);
  });

  test('a budget is new in the next window', async ({ add, session, control, advance }) => {
    await control('limitTenant', { tenant: 'a', limits: { budget: { units: 1, per: 500 } } });
    await add(...many('a', 2, { cost: 1 }));
    const worker = session();
    const claim = async (): Promise<number> => (await worker.exchange({ claim: 9, lease: 60_000 })).claimed.length;
    assert.equal(await claim(), 1);
    await advance(510);
    assert.equal(await claim(), 1);
  });

  test('what was given back has cost nothing', async ({ add, session, control }) => {
    await control('limitTenant', { tenant: 'a', limits: { budget: { units: 5, per: 86_400_000 } } });
    await add(...many('a', 1, { cost: 5 }));
    const worker = session();
    await worker.settle(await worker.claimOne(), { kind: 'release' });
    assert.deepEqual(idsOf(await worker.claim(1)), ['a0']);
  });

  test('tenants and their standing can be listed page by page', async ({ add, control, session }) => {
    await control('limitTenant', { tenant: 'c', limits: { maxLeased: 0 } });
    await add(...many('a', 2), ...many('b', 1, { delay: 60_000 }), ...many('c', 1));
    await session().claim(1);
    const first = await control('tenants', { limit: 2 });
    const rest = await control('tenants', { limit: 10, ...(first.cursor !== undefined && { cursor: first.cursor }) });
    const views = [...first.items, ...rest.items];
    assert.deepEqual(
      views.map(({ tenant, ready, delayed, leased }) => [tenant, ready, delayed, leased]),
      [
        ['a', 1, 0, 1],
        ['b', 0, 1, 0],
        ['c', 1, 0, 0],
      ],
    );
    assert.equal(views[2]?.limits.maxLeased, 0);
  });
};
