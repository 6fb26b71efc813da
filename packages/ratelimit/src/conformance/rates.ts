import assert from 'node:assert/strict';
import { type DebitDecision, type RateSpec, type RateTable, type Store, usualWaitMs } from '../store.ts';
import { type OpenStore, type TestFunctions, unique, withStore } from './harness.ts';
import { modelTests } from './rates-model.ts';

/** Proves a `RateStore`: bounds, atomicity, future slots, corrections. */
export function rateTests({ describe, it }: TestFunctions, open: OpenStore<'rates'>): void {
  describe('rates', () => {
    boundTests(it, open);
    slotTests(it, open);
    correctionTests(it, open);
    classTests(it, open);
    modelTests(it, open);
  });
}

type It = TestFunctions['it'];
type Rates = Pick<Store, 'rates'>;

const hour = 3_600_000;

function table(limits: readonly RateSpec[], change: Partial<RateTable> = {}): RateTable {
  const account = unique('account');
  const scopes = ['', ...new Set(limits.filter(({ scope }) => scope > 0).map(({ scope }) => `scope-${scope}`))];
  return { id: account, account, scopes, limits, shares: [1], recovery: 0, ...change };
}

/** `units` per `ms`, `burst` at once. */
function spec(units: number, ms: number, burst: number, scope = 0): RateSpec {
  return { scope, interval: Math.ceil((ms * 1000) / units), burst };
}

async function debit(
  { rates }: Rates,
  limits: RateTable,
  cost: readonly number[],
  maxWait = 0,
  share = 0,
  copies = 1,
): Promise<DebitDecision> {
  const [decision] = await rates.debit(limits, [{ cost, maxWait, share, copies }]);
  assert.ok(decision, 'every request gets a decision');
  return decision;
}

function boundTests(it: It, open: OpenStore<'rates'>): void {
  it('admits the burst at once and refuses the next', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 3)]);
      for (let i = 0; i < 3; i++) assert.equal((await debit(store, limits, [1])).granted, 1);
      const refused = await debit(store, limits, [1]);
      assert.equal(refused.granted, 0);
      assert.equal(refused.limitedBy, 0);
      assert.ok(refused.wait > hour - 60_000 && refused.wait <= hour, `wait ${refused.wait}`);
    }));

  it('single calls with the usual wait take the burst, then a slot within it, then nothing', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, 20_000, 3), spec(1, 1_000, 100, 1)]);
      const usual = () => debit(store, limits, [1, 1], usualWaitMs);
      for (let i = 0; i < 3; i++) assert.equal((await usual()).wait, 0);
      const later = await usual();
      assert.equal(later.granted, 1);
      assert.ok(later.wait > 10_000 && later.wait <= 20_000, `wait ${later.wait}`);
      const refused = await usual();
      assert.equal(refused.granted, 0);
      assert.equal(refused.limitedBy, 0);
    }));

  it('a pause holds single calls with the usual wait', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1000, 1_000, 1_000)]);
      assert.equal((await debit(store, limits, [1], usualWaitMs)).wait, 0);
      await store.rates.pause(limits, { forMs: 20_000, decrease: 1, floor: 1, cooldownMs: 0 });
      const held = await debit(store, limits, [1], usualWaitMs);
      assert.ok(held.wait > 10_000 && held.wait <= 20_000, `wait ${held.wait}`);
    }));

  it('a refused request consumes nothing of any limit', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 10), spec(1, hour, 2, 1)]);
      for (let i = 0; i < 5; i++) assert.equal((await debit(store, limits, [1, 3])).granted, 0);
      assert.deepEqual((await store.rates.read(limits)).remaining, [10, 2]);
      assert.equal((await debit(store, limits, [10, 2])).granted, 1);
    }));

  it('concurrent requests never exceed the limit', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 20), spec(1, hour, 50, 1)]);
      const decisions = await Promise.all(Array.from({ length: 100 }, () => debit(store, limits, [1, 2])));
      assert.equal(decisions.filter(({ granted }) => granted === 1).length, 20);
      assert.deepEqual((await store.rates.read(limits)).remaining, [0, 10]);
    }));

  it('no window of the slots ever holds more than burst + rate x window, whatever the costs', () =>
    withStore(open, async ({ store }) => {
      const random = seeded(7);
      for (let round = 0; round < 5; round++) await checkWindows(store, random);
    }));

  it('a cost above the burst is preceded and followed by silence', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(10, 1000, 2)]);
      const big = await debit(store, limits, [6], hour);
      assert.ok(big.wait > 390 && big.wait <= 400, `wait ${big.wait}`);
      const next = await debit(store, limits, [1], hour);
      assert.ok(next.at - big.at >= 500_000, `gap ${next.at - big.at}`);
    }));
}

/** Random costs on a random limit; every half-open window between two slots keeps the bound. */
async function checkWindows(store: Rates, random: () => number): Promise<void> {
  const burst = 1 + Math.floor(random() * 20);
  const limit = spec(burst + Math.floor(random() * 100), 1000, burst);
  const limits = table([limit, spec(200, 1000, 10)]);
  const requests = Array.from({ length: 150 }, () => ({
    cost: [1 + Math.floor(random() * burst * 1.3), 1],
    maxWait: hour,
    share: 0,
    copies: 1,
  }));
  const decisions = await store.rates.debit(limits, requests);
  const slots = decisions.map(({ at }, i) => ({ at, cost: requests[i]?.cost[0] ?? 0 })).sort((a, b) => a.at - b.at);
  for (let from = 0; from < slots.length; from++) {
    let sum = 0;
    for (let to = from; to < slots.length; to++) {
      sum += slots[to]?.cost ?? 0;
      const window = (slots[to]?.at ?? 0) - (slots[from]?.at ?? 0);
      const bound = Math.max(limit.burst, slots[from]?.cost ?? 0) + window / limit.interval;
      assert.ok(sum <= bound + 1e-9, `${sum} units in ${window} µs, bound ${bound}`);
    }
  }
}

function slotTests(it: It, open: OpenStore<'rates'>): void {
  it('hands out future slots in order, evenly spaced', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(10, 1000, 1)]);
      const slots = [];
      for (let i = 0; i < 5; i++) slots.push(await debit(store, limits, [1], hour));
      for (let i = 1; i < slots.length; i++) {
        assert.equal(Math.round(((slots[i]?.at ?? 0) - (slots[0]?.at ?? 0)) / 1000), i * 100);
      }
    }));

  it('refuses what would have to wait longer than allowed, and says how long', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, 10_000, 1)]);
      await debit(store, limits, [1]);
      const refused = await debit(store, limits, [1], 5_000);
      assert.equal(refused.granted, 0);
      assert.ok(refused.wait > 5_000 && refused.wait <= 10_000);
    }));

  it('refills as the store’s time goes by', () =>
    withStore(open, async ({ store, advance }) => {
      const limits = table([spec(100, 1000, 5)]);
      await debit(store, limits, [5]);
      await advance(60);
      assert.equal((await debit(store, limits, [5])).granted, 1);
    }));

  it('decides a batch in order, each request for itself', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 4)]);
      const costs = [2, 3, 2, 1];
      const decisions = await store.rates.debit(
        limits,
        costs.map((units) => ({ cost: [units], maxWait: 0, share: 0, copies: 1 })),
      );
      assert.deepEqual(
        decisions.map(({ granted }) => granted),
        [1, 0, 1, 0],
      );
    }));

  it('decides equal requests of a batch one after the other', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 3), spec(2, hour, 100)]);
      const same = { cost: [1, 1], maxWait: 2.5 * hour, share: 0, copies: 1 };
      const decisions = await store.rates.debit(limits, Array(7).fill(same));
      assert.deepEqual(
        decisions.map(({ granted, wait }) => [granted, Math.round(wait / hour)]),
        [
          [1, 0],
          [1, 0],
          [1, 0],
          [1, 1],
          [1, 2],
          [0, 3],
          [0, 3],
        ],
      );
      assert.deepEqual((await store.rates.read(limits)).remaining, [-2, 95]);
    }));

  it('grants as many copies as are free', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 10), spec(1, hour, 100, 1)]);
      assert.equal((await debit(store, limits, [2, 1], 0, 0, 100)).granted, 5);
      assert.equal((await debit(store, limits, [2, 1], 0, 0, 100)).granted, 0);
      assert.deepEqual((await store.rates.read(limits)).remaining, [0, 95]);
    }));

  it('limits of the account are shared by tables with other scopes', () =>
    withStore(open, async ({ store }) => {
      const first = table([spec(1, hour, 3), spec(1, hour, 2, 1)]);
      const second = { ...first, id: `${first.id}/b`, scopes: ['', 'scope-b'] };
      assert.equal((await debit(store, first, [1, 1])).granted, 1);
      assert.equal((await debit(store, first, [1, 1])).granted, 1);
      assert.equal((await debit(store, first, [1, 1])).limitedBy, 1);
      assert.equal((await debit(store, second, [1, 1])).granted, 1);
      assert.equal((await debit(store, second, [1, 1])).limitedBy, 0);
    }));

  it('a table with fewer limits leaves the further ones of a longer one as they are, and the longer one goes on from it', () =>
    withStore(open, async ({ store }) => {
      const short = table([spec(1, hour, 5)]);
      const long = { ...short, id: `${short.id}+`, limits: [...short.limits, spec(1, hour, 3)] };
      assert.equal((await debit(store, short, [1])).granted, 1);
      assert.equal((await debit(store, long, [1, 2])).granted, 1);
      assert.equal((await debit(store, short, [1])).granted, 1);
      assert.deepEqual((await store.rates.read(long)).remaining, [2, 1]);
      assert.equal((await debit(store, long, [1, 2])).limitedBy, 1);
    }));
}

function correctionTests(it: It, open: OpenStore<'rates'>): void {
  it('gives back what was not used, and only once it was booked', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 10), spec(1, hour, 10)]);
      const taken = await debit(store, limits, [1, 8]);
      await store.rates.adjust(limits, [{ delta: [0, -5], at: taken.at, share: taken.share }]);
      assert.deepEqual((await store.rates.read(limits)).remaining, [9, 7]);
    }));

  it('does not give back what has drained meanwhile', () =>
    withStore(open, async ({ store, advance }) => {
      const limits = table([spec(5, 1000, 5)]);
      const taken = await debit(store, limits, [5]);
      await advance(1_200);
      await debit(store, limits, [5]);
      await store.rates.adjust(limits, [{ delta: [-5], at: taken.at, share: taken.share }]);
      assert.equal((await debit(store, limits, [4])).granted, 0);
    }));

  it('books what was used beyond the reservation', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 10)]);
      const taken = await debit(store, limits, [1]);
      await store.rates.adjust(limits, [{ delta: [7], at: taken.at, share: taken.share }]);
      assert.deepEqual((await store.rates.read(limits)).remaining, [2]);
    }));

  it('a provider’s report lowers what is left, and never raises it', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 10), spec(1, hour, 10)]);
      await store.rates.correct(limits, [4, undefined]);
      assert.deepEqual((await store.rates.read(limits)).remaining, [4, 10]);
      await store.rates.correct(limits, [9, undefined]);
      assert.deepEqual((await store.rates.read(limits)).remaining, [4, 10]);
    }));

  it('a pause holds everybody back, spaced out again behind it', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(10, 1000, 1)]);
      const state = await store.rates.pause(limits, { forMs: 5_000, decrease: 1, floor: 0.1, cooldownMs: 0 });
      assert.ok(state.pausedFor > 4_000 && state.pausedFor <= 5_000);
      const refused = await debit(store, limits, [1], 100);
      assert.equal(refused.granted, 0);
      assert.equal(refused.limitedBy, -2);
      const first = await debit(store, limits, [1], hour);
      const second = await debit(store, limits, [1], hour);
      assert.ok(first.wait > 4_000);
      assert.equal(second.at - first.at, 100_000);
    }));

  it('throttling slows the rate once per cooldown', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(10, 1000, 1)]);
      const pause = { forMs: 0, decrease: 0.5, floor: 0.1, cooldownMs: hour };
      assert.equal((await store.rates.pause(limits, pause)).factor, 0.5);
      assert.equal((await store.rates.pause(limits, pause)).factor, 0.5);
      const first = await debit(store, limits, [1], hour);
      const second = await debit(store, limits, [1], hour);
      assert.equal(second.at - first.at, 200_000);
    }));

  it('the rate recovers with time', () =>
    withStore(open, async ({ store, advance }) => {
      const limits = table([spec(10, 1000, 1)], { recovery: 2 });
      await store.rates.pause(limits, { forMs: 0, decrease: 0.5, floor: 0.1, cooldownMs: 0 });
      await advance(300);
      assert.equal((await store.rates.read(limits)).factor, 1);
    }));
}

function classTests(it: It, open: OpenStore<'rates'>): void {
  it('a class that floods does not delay another class’s share', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(100, 1000, 10)], { shares: [0.5, 0.5] });
      for (let i = 0; i < 100; i++) await debit(store, limits, [1], hour, 1);
      await store.rates.read(limits);
      const urgent = await debit(store, limits, [1], hour, 0);
      assert.ok(urgent.wait <= 20, `waited ${urgent.wait}`);
    }));

  it('a class uses what another one leaves free, but only now', () =>
    withStore(open, async ({ store }) => {
      const limits = table([spec(1, hour, 10)], { shares: [0.5, 0.5] });
      for (let i = 0; i < 10; i++) assert.equal((await debit(store, limits, [1], 0, 1)).granted, 1, `call ${i}`);
      assert.equal((await debit(store, limits, [1], 0, 1)).granted, 0);
    }));
}

/** A small repeatable generator (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}
