import assert from 'node:assert/strict';
import type { ClaimedJob } from '../contract/index.ts';
import { type Group, idsOf } from './harness.ts';

const many = (tenant: string, count: number, more: object = {}): { id: string; tenant: string }[] =>
  Array.from({ length: count }, (_, n) => ({ id: `${tenant}${String(n).padStart(3, '0')}`, tenant, ...more }));

const countOf = (jobs: readonly ClaimedJob[], tenant: string): number =>
  jobs.filter((job) => job.tenant === tenant).length;

/** Tenants take turns in proportion to their weights. */
export const fairness: Group = (test) => {
  test('a tenant with a long backlog does not keep others waiting', async ({ add, session }) => {
    await add(...many('big', 200));
    await add(...many('small', 3));
    const jobs = await session().claim(8);
    assert.equal(countOf(jobs, 'small'), 3, idsOf(jobs).join(' '));
  });

  test('equal tenants get equal shares', async ({ add, session }) => {
    await add(...many('a', 90), ...many('b', 60), ...many('c', 60));
    const jobs = await session().claim(90);
    for (const tenant of ['a', 'b', 'c'])
      assert.ok(Math.abs(countOf(jobs, tenant) - 30) <= 1, `${tenant}: ${countOf(jobs, tenant)}`);
  });

  test('shares are in proportion to weights', async ({ add, session, control }) => {
    await control('limitTenant', { tenant: 'gold', limits: { weight: 3 } });
    await add(...many('gold', 100), ...many('iron', 100));
    const jobs = await session().claim(80);
    assert.ok(Math.abs(countOf(jobs, 'gold') - 60) <= 2, `gold ${countOf(jobs, 'gold')} of 80`);
  });

  test('dear jobs use up a share faster', async ({ add, session }) => {
    await add(...many('dear', 60, { cost: 4 }), ...many('cheap', 60, { cost: 1 }));
    const jobs = await session().claim(50);
    assert.ok(Math.abs(countOf(jobs, 'cheap') - 40) <= 2, `cheap ${countOf(jobs, 'cheap')} of 50`);
  });

  test('who was idle saves up nothing', async ({ add, session }) => {
    await add(...many('busy', 100));
    const worker = session();
    await worker.claim(40);
    await add(...many('late', 60));
    const jobs = await worker.claim(40);
    assert.ok(Math.abs(countOf(jobs, 'late') - 20) <= 2, `late ${countOf(jobs, 'late')} of 40`);
  });

  test('a tenant keeps its turn over many small claims by many workers', async ({ add, session, other }) => {
    await add(...many('a', 60), ...many('b', 60));
    const workers = [session(), session(other), session()];
    const jobs: ClaimedJob[] = [];
    for (let turn = 0; turn < 10; turn += 1) for (const worker of workers) jobs.push(...(await worker.claim(2)));
    assert.ok(Math.abs(countOf(jobs, 'a') - 30) <= 2, `a ${countOf(jobs, 'a')} of 60`);
  });

  test('inside a tenant the order stays', async ({ add, session }) => {
    await add(...many('a', 20), ...many('b', 20));
    const ids = idsOf(await session().claim(40));
    for (const tenant of ['a', 'b']) {
      const own = ids.filter((id) => id.startsWith(tenant));
      assert.deepEqual(own, [...own].sort());
    }
  });
};
