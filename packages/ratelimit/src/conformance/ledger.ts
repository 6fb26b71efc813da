import assert from 'node:assert/strict';
import type { LedgerScope } from '../store.ts';
import { type OpenStore, type TestFunctions, unique, withStore } from './harness.ts';

const day = 86_400_000;

function scope(key: string, cap: number): LedgerScope {
  return { key, cap, keepMs: day };
}

/** Proves a `LedgerStore`: no overspending under races, holds that return, bookings that count once. */
export function ledgerTests({ describe, it }: TestFunctions, open: OpenStore<'ledger'>): void {
  describe('ledger', () => {
    holdTests(it, open);
    returnTests(it, open);
  });
}

function holdTests(it: TestFunctions['it'], open: OpenStore<'ledger'>): void {
  it('holds in every scope or in none', () =>
    withStore(open, async ({ store: { ledger } }) => {
      const account = unique('budget');
      const scopes = [scope('tenant', 100), scope('run', 30)];
      assert.equal((await ledger.hold(account, '1', scopes, 20, day)).ok, true);
      const refused = await ledger.hold(account, '2', scopes, 20, day);
      assert.deepEqual([refused.ok, refused.exceeded], [false, 1]);
      assert.deepEqual(await ledger.read(account, scopes), [
        { spent: 0, held: 20 },
        { spent: 0, held: 20 },
      ]);
    }));

  it('a thousand racing holds never exceed the cap', () =>
    withStore(open, async ({ store: { ledger } }) => {
      const account = unique('budget');
      const scopes = [scope('tenant', 10_000)];
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => ledger.hold(account, `h${i}`, scopes, 300, day)),
      );
      assert.equal(answers.filter(({ ok }) => ok).length, 33);
      assert.deepEqual(await ledger.read(account, scopes), [{ spent: 0, held: 9_900 }]);
    }));

  it('settling books the actual amount and frees the rest', () =>
    withStore(open, async ({ store: { ledger } }) => {
      const account = unique('budget');
      const scopes = [scope('tenant', 100)];
      await ledger.hold(account, '1', scopes, 80, day);
      assert.deepEqual(await ledger.settle(account, '1', scopes, 25), [{ spent: 25, held: 0 }]);
      assert.equal((await ledger.hold(account, '2', scopes, 75, day)).ok, true);
    }));

  it('a repeated settle books once', () =>
    withStore(open, async ({ store: { ledger } }) => {
      const account = unique('budget');
      const scopes = [scope('tenant', 100)];
      await ledger.hold(account, '1', scopes, 80, day);
      await ledger.settle(account, '1', scopes, 25);
      assert.deepEqual(await ledger.settle(account, '1', scopes, 25), [{ spent: 25, held: 0 }]);
    }));
}

function returnTests(it: TestFunctions['it'], open: OpenStore<'ledger'>): void {
  it('the hold of a caller that died returns', () =>
    withStore(open, async ({ store: { ledger }, advance }) => {
      const account = unique('budget');
      const scopes = [scope('tenant', 100)];
      await ledger.hold(account, 'dead', scopes, 80, 1_000);
      assert.equal((await ledger.hold(account, 'early', scopes, 80, day)).ok, false);
      await advance(1_200);
      assert.deepEqual(await ledger.read(account, scopes), [{ spent: 0, held: 0 }]);
      assert.equal((await ledger.hold(account, 'late', scopes, 80, day)).ok, true);
    }));

  it('an extended hold stays; one that has run out says so, and is still booked', () =>
    withStore(open, async ({ store: { ledger }, advance }) => {
      const account = unique('budget');
      const scopes = [scope('tenant', 100)];
      await ledger.hold(account, '1', scopes, 80, 1_200);
      await advance(600);
      assert.equal(await ledger.extend(account, '1', scopes, 2_400), true);
      await advance(1_200);
      assert.deepEqual(await ledger.read(account, scopes), [{ spent: 0, held: 80 }]);
      await advance(1_600);
      assert.equal(await ledger.extend(account, '1', scopes, 600), false);
      assert.deepEqual(await ledger.settle(account, '1', scopes, 10), [{ spent: 10, held: 0 }]);
    }));

  it('tells the time', () =>
    withStore(open, async ({ store: { ledger } }) => {
      assert.ok((await ledger.now()) > 1_600_000_000_000);
    }));
}
