import type { ExchangeAnswer, ExchangeRequest } from '@millrace/queue';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Shard } from '../../src/adapters/redis/shard.ts';
import { divide } from '../../src/adapters/redis/shards/divide.ts';
import { createExchange } from '../../src/adapters/redis/shards/exchange.ts';
import { shardOfTenant } from '../../src/adapters/redis/shards/place.ts';
import { planRound } from '../../src/adapters/redis/shards/plan.ts';
import type { ShardView } from '../../src/adapters/redis/shards/view.ts';

test('a tenant lives where it always has: the hash is part of the layout', () => {
  const places = ['', 'a', 'acme', 'tenant-1', 'tenant-2', 'Zoë', '🙂'].map((tenant) => shardOfTenant(tenant, 64));
  expect(places).toMatchInlineSnapshot(`
    [
      1,
      7,
      26,
      60,
      13,
      31,
      0,
    ]
  `);
});

test('tenants are spread evenly', () => {
  const counts = Array.from({ length: 16 }, () => 0);
  for (let n = 0; n < 16_000; n += 1)
    counts[shardOfTenant(`tenant-${n}`, 16)] = (counts[shardOfTenant(`tenant-${n}`, 16)] ?? 0) + 1;
  expect(Math.min(...counts)).toBeGreaterThan(850);
  expect(Math.max(...counts)).toBeLessThan(1_150);
});

test('a limit is divided whole, nobody is short while another has more than it wants, and every turn is fair', () => {
  const wanted = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.nat(2_000), wanted, fc.nat(100), (total, wants, turn) => {
      const shares = divide(total, wants, turn);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
      expect(shares.every((share) => share >= 0)).toBe(true);
      const short = shares.some((share, index) => share < (wants[index] ?? 0));
      for (const [index, share] of shares.entries()) if (short) expect(share).toBeLessThanOrEqual(wants[index] ?? 0);
      const hungry = shares.filter((share, index) => share < (wants[index] ?? 0));
      for (const share of hungry) expect(Math.max(...shares) - share).toBeLessThanOrEqual(1);
    }),
  );
  const firsts = [0, 1, 2].map((turn) => divide(1, [9, 9, 9], turn));
  expect(firsts).toEqual([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
});

const view = (more: Partial<ShardView>): ShardView => ({
  ...{ class: 0, score: 0, vtime: 0, tenants: 1, ready: 10, leased: 0, hold: '', tokens: 0, isStale: false },
  ...{ held: 0, rested: false, clock: 0, settingsVersion: 0, maxLeased: Number.POSITIVE_INFINITY },
  ...more,
});

test('a round never asks for more than is wanted, and asks for something when there is something', () => {
  const anyView = fc.record({
    class: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
    score: fc.integer({ min: -5, max: 5 }),
    vtime: fc.nat(20),
    tenants: fc.integer({ min: 1, max: 9 }),
    ready: fc.integer({ min: 1, max: 60 }),
    rested: fc.boolean(),
    hold: fc.constantFrom<ShardView['hold'][]>('', '', 'queue-rate'),
  });
  const options = fc.record({ deep: fc.boolean(), last: fc.boolean() });
  fc.assert(
    fc.property(fc.array(anyView, { maxLength: 6 }), fc.integer({ min: 1, max: 50 }), options, (some, want, how) => {
      const views = some.map(view);
      const plan = planRound(views, want, how);
      expect(plan.reduce((sum, { claim }) => sum + claim, 0)).toBeLessThanOrEqual(want);
      const live = views.some((one) => one.class !== undefined && one.hold === '');
      expect(plan.some(({ claim }) => claim > 0)).toBe(live);
    }),
  );
});

test('the class whose turn it is goes first, over all shards; inside it the shard that is furthest behind', () => {
  const views = [
    view({ class: 1, score: -1, vtime: 0 }),
    view({ class: 5, score: -5, vtime: 7 }),
    view({ class: 5, score: -4, vtime: 3 }),
  ];
  expect(planRound(views, 1, {})).toEqual([{ shard: 2, claim: 1, onlyClass: 5, horizon: 3 }]);
  expect(planRound([view({ class: 0, score: -9 }), view({ class: 5, score: -5 })], 8, {})).toEqual([
    { shard: 0, claim: 1, onlyClass: 0 },
  ]);
});

test('a shard is told with every call of one that began the session there and got no answer', async () => {
  const answer: ExchangeAnswer = {
    ...{ now: 1, session: 'open', settled: [], extended: [], progressed: [], claimed: [], cancelRequests: [] },
    ...{ more: false, dueSchedules: [], swept: { promoted: 0, expired: [], forgotten: 0 } },
  };
  const heard: ExchangeRequest[] = [];
  const idle = { exchange: async () => ({ answer, view: ',0,0,0,0,0,,0,0,0,0,0,-1,0' }) };
  const failing = {
    exchange: async (request: ExchangeRequest) => {
      heard.push(request);
      if (heard.length === 1) throw new Error('no answer');
      return idle.exchange();
    },
  };
  const shares = { divide: async () => undefined };
  const exchange = createExchange([idle, failing] as unknown as readonly Shard[], shares, () => performance.now());
  const request: ExchangeRequest = {
    ...{ session: 's', begin: true, lease: 30_000, call: 1, lostCalls: [], claim: 0, settle: [], extend: [] },
    ...{ progress: [], housekeeping: 0, end: false },
  };
  await exchange(request);
  for (const call of [2, 3, 4]) await exchange({ ...request, begin: false, call });
  await expect.poll(() => heard.length).toBe(4);
  expect(heard.map(({ begin }) => begin)).toEqual([true, true, false, false]);
  for (const { lostCalls } of heard.slice(1)) expect(lostCalls).toContain(8);
});
