import assert from 'node:assert/strict';
import type { PermitAnswer, PermitExchange, Store } from '../store.ts';
import { type OpenStore, type TestFunctions, unique, withStore } from './harness.ts';

const none: PermitExchange = { limit: 1, leaseMs: 60_000, release: [], renew: [], acquire: [] };

function ask(id: string, tenant = 'a', weight = 1): { id: string; tenant: string; weight: number } {
  return { id, tenant, weight };
}

function ids({ granted }: PermitAnswer): string[] {
  return granted.map(({ id }) => id);
}

/** Proves a `PermitStore`: bounds, order, fences, leases. */
export function permitTests({ describe, it }: TestFunctions, open: OpenStore<'permits'>): void {
  describe('permits', () => {
    lineTests(it, open);
    leaseTests(it, open);
  });
}

function lineTests(it: TestFunctions['it'], open: OpenStore<'permits'>): void {
  it('grants up to the limit, then in the order of the line, with growing fences', () =>
    withStore(open, async ({ store }) => {
      const key = unique('semaphore');
      const first = await exchange(store, key, { limit: 2, acquire: [ask('1'), ask('2'), ask('3'), ask('4')] });
      assert.deepEqual([ids(first), first.held, first.waiting], [['1', '2'], 2, 2]);
      const second = await exchange(store, key, { limit: 2, release: ['1', '2'], renew: ['3', '4'] });
      assert.deepEqual([ids(second), second.held, second.waiting], [['3', '4'], 2, 0]);
      const fences = [...first.granted, ...second.granted].map(({ fence }) => fence);
      assert.deepEqual(
        fences,
        [...fences].sort((a, b) => a - b),
      );
      assert.equal(new Set(fences).size, 4);
    }));

  it('a release by one process grants to the waiter of another', () =>
    withStore(open, async ({ store }) => {
      const key = unique('semaphore');
      await exchange(store, key, { acquire: [ask('holder')] });
      await exchange(store, key, { acquire: [ask('waiter')] });
      await exchange(store, key, { release: ['holder'] });
      const later = await exchange(store, key, { acquire: [ask('third')], renew: ['waiter'] });
      assert.deepEqual(ids(later), ['waiter']);
    }));

  it('shares the line between tenants by weight', () =>
    withStore(open, async ({ store }) => {
      const key = unique('semaphore');
      await exchange(store, key, { acquire: [ask('holder', 'x')] });
      const flood = Array.from({ length: 40 }, (_, i) => ask(`flood-${i}`, 'flood'));
      const heavy = Array.from({ length: 40 }, (_, i) => ask(`heavy-${i}`, 'heavy', 3));
      await exchange(store, key, { acquire: [...flood, ...heavy] });
      const waiting = [...flood, ...heavy].map(({ id }) => id);
      const answer = await exchange(store, key, { limit: 20, release: ['holder'], renew: waiting });
      const heavyOnes = ids(answer).filter((id) => id.startsWith('heavy')).length;
      assert.equal(ids(answer).length, 20);
      assert.ok(heavyOnes >= 14 && heavyOnes <= 16, `${heavyOnes} of 20`);
    }));

  it('never grants more than the limit to concurrent callers', () =>
    withStore(open, async ({ store }) => {
      const key = unique('semaphore');
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => exchange(store, key, { limit: 7, acquire: [ask(`c${i}`)] })),
      );
      assert.equal(answers.flatMap(ids).length, 7);
    }));

  it('a place in the line can be given up', () =>
    withStore(open, async ({ store }) => {
      const key = unique('semaphore');
      await exchange(store, key, { acquire: [ask('1'), ask('2'), ask('3')] });
      const answer = await exchange(store, key, { release: ['2', '1'], renew: ['3'] });
      assert.deepEqual([ids(answer), answer.waiting], [['3'], 0]);
    }));
}

function leaseTests(it: TestFunctions['it'], open: OpenStore<'permits'>): void {
  it('a permit that is not renewed is free again, and its holder is told', () =>
    withStore(open, async ({ store, advance }) => {
      const key = unique('semaphore');
      await exchange(store, key, { leaseMs: 50, acquire: [ask('dead')] });
      await advance(80);
      const answer = await exchange(store, key, { acquire: [ask('next')], renew: ['dead'] });
      assert.deepEqual([ids(answer), answer.lost], [['next'], ['dead']]);
    }));

  it('a renewed permit stays', () =>
    withStore(open, async ({ store, advance }) => {
      const key = unique('semaphore');
      await exchange(store, key, { leaseMs: 1_600, acquire: [ask('alive')] });
      for (let i = 0; i < 3; i++) {
        await advance(800);
        await exchange(store, key, { leaseMs: 1_600, renew: ['alive'] });
      }
      const answer = await exchange(store, key, { acquire: [ask('next')] });
      assert.deepEqual([ids(answer), answer.held], [[], 1]);
    }));

  it('a waiter that died does not hold up the line', () =>
    withStore(open, async ({ store, advance }) => {
      const key = unique('semaphore');
      await exchange(store, key, { acquire: [ask('holder')] });
      await exchange(store, key, { leaseMs: 50, acquire: [ask('dead')] });
      await exchange(store, key, { acquire: [ask('alive')] });
      await advance(80);
      const answer = await exchange(store, key, { release: ['holder'], renew: ['alive'] });
      assert.deepEqual(ids(answer), ['alive']);
    }));
}

async function exchange(
  { permits }: Pick<Store, 'permits'>,
  key: string,
  change: Partial<PermitExchange>,
): Promise<PermitAnswer> {
  return permits.exchange(key, { ...none, ...change });
}
