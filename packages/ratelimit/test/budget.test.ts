import { type BudgetOptions, budget, costOf, memoryStore, priceOf, wrap } from '@millrace/ratelimit';
import { anthropicPrices, geminiPrices, openaiPrices } from '@millrace/ratelimit/presets';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

const noon = Date.parse('2026-11-23T12:00:00Z');

function setup(change: Partial<BudgetOptions> = {}) {
  const clock = manualClock(noon);
  const spend = budget({
    clock,
    scopes: [
      { name: 'tenant', of: (ctx) => ctx.tenant, cap: 1_000, per: 'day' },
      { name: 'run', of: (ctx) => ctx.run, cap: 300 },
    ],
    estimate: () => 100,
    ...change,
  });
  return { clock, spend, call: wrap(spend) };
}

describe('budget', () => {
  it('books what a call settled, and the estimate of one that says nothing', async () => {
    const { spend, call } = setup();
    await call(async (ctx) => ctx.settle({ microUsd: 30 }), { tenant: 'acme', run: 'r1' });
    await call(async () => {}, { tenant: 'acme', run: 'r1' });
    expect(await spend.status({ tenant: 'acme', run: 'r1' })).toMatchObject([
      { scope: 'tenant:acme/2026-11-23', spent: 130, held: 0, cap: 1_000 },
      { scope: 'run:r1/total', spent: 130, held: 0, cap: 300 },
    ]);
  });

  it('refuses what does not fit into every scope, and holds nothing', async () => {
    const { spend } = setup();
    const holds = await Promise.all([1, 2, 3].map(() => spend.reserve({ tenant: 'acme', run: 'r1' })));
    await expect(spend.reserve({ tenant: 'acme', run: 'r1' })).rejects.toMatchObject({
      code: 'ERR_BUDGET_EXCEEDED',
      scope: 'run:r1/total',
      held: 300,
      cap: 300,
    });
    expect((await spend.status({ tenant: 'acme' }))[0]).toMatchObject({ held: 300 });
    for (const hold of holds) await hold.settle(0);
    expect((await spend.status({ tenant: 'acme' }))[0]).toMatchObject({ held: 0, spent: 0 });
  });

  it('a failed call costs nothing unless it reported usage', async () => {
    const { spend, call } = setup();
    await call(async () => Promise.reject(new Error('x')), { tenant: 'acme' }).catch(() => {});
    await call(
      async (ctx) => {
        ctx.settle({ microUsd: 7 });
        throw new Error('x');
      },
      { tenant: 'acme' },
    ).catch(() => {});
    expect((await spend.status({ tenant: 'acme' }))[0]).toMatchObject({ held: 0, spent: 7 });
  });

  it('starts anew with the day', async () => {
    const { clock, spend, call } = setup({ scopes: [{ name: 'all', cap: 100, per: 'day' }] });
    await call(async () => {});
    const error = await call(async () => {}).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', retryAfter: 12 * 3_600_000 });
    await clock.advance(12 * 3_600_000);
    await call(async () => {});
    expect((await spend.status())[0]).toMatchObject({ scope: 'all:all/2026-11-24', spent: 100 });
  });

  it('decides the day by the store’s clock, not by ours', async () => {
    const clock = manualClock(noon);
    const storeClock = manualClock(noon + 13 * 3_600_000);
    const store = memoryStore({ clock: storeClock });
    const { spend } = setup({ clock, store });
    expect((await spend.status({ tenant: 'a' }))[0]?.scope).toBe('tenant:a/2026-11-24');
  });

  it('the hold of a caller that died returns; one that lives is extended', async () => {
    const { clock, spend } = setup({ lease: '30s', scopes: [{ name: 'all', cap: 100 }] });
    const hold = await spend.reserve({});
    await clock.advance(300_000);
    await expect(spend.reserve({})).rejects.toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });
    await hold.settle(0);
    const store = memoryStore({ clock });
    const dead = [{ key: 'all:all/total', cap: 100, keepMs: 1e6 }];
    await store.ledger.hold('budget', 'dead', dead, 100, 30_000);
    const survivor = setup({ clock, store, scopes: [{ name: 'all', cap: 100 }] }).spend;
    await expect(survivor.reserve({})).rejects.toThrow();
    await clock.advance(30_000);
    await survivor.reserve({});
  });

  it('alerts once per threshold', async () => {
    const alerts: number[] = [];
    const { call } = setup({ scopes: [{ name: 'all', cap: 400 }], onAlert: ({ threshold }) => alerts.push(threshold) });
    for (let i = 0; i < 4; i++) await call(async () => {});
    expect(alerts).toEqual([0.5, 0.8, 1]);
  });

  it('forecasts the period', async () => {
    const { call, spend } = setup();
    await call(async (ctx) => ctx.settle({ microUsd: 90 }), { tenant: 'a' });
    expect((await spend.status({ tenant: 'a' }))[0]).toMatchObject({
      forecast: 180,
      exhaustedIn: Number.POSITIVE_INFINITY,
    });
    for (let i = 0; i < 9; i++) await call(async (ctx) => ctx.settle({ microUsd: 90 }), { tenant: 'a' });
    const [status] = await spend.status({ tenant: 'a' });
    expect(status?.forecast).toBe(1_800);
    expect(status?.exhaustedIn).toBeCloseTo((100 / 900) * 12 * 3_600_000, -3);
  });

  it('when the store is down it refuses, or lets calls through as told', async () => {
    const broken = { name: 'broken', ledger: new Proxy({}, { get: () => () => Promise.reject(new Error('gone')) }) };
    const store = broken as unknown as NonNullable<BudgetOptions['store']>;
    await expect(setup({ store }).call(async () => 1)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    expect(await setup({ store, onStoreDown: 'open' }).call(async () => 1)).toBe(1);
  });

  it('refuses amounts that are none', async () => {
    await expect(setup({ estimate: () => Number.NaN }).call(async () => 1)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  });
});

describe('prices', () => {
  const table = {
    date: '2026-11-01',
    source: 'test',
    models: { 'a*': { input: 1, output: 2 }, 'a-big*': { input: 3, output: 15, cacheRead: 0.3 } },
  };

  it('finds the longest matching name', () => {
    expect(priceOf(table, 'a-big-2026')).toMatchObject({ input: 3 });
    expect(priceOf(table, 'a-small')).toMatchObject({ input: 1 });
    expect(priceOf(table, 'z')).toBeUndefined();
  });

  it('covers dated snapshots of a name, not its successors', () => {
    const named = { ...table, models: { 'gpt-5': { input: 1, output: 2 } } };
    expect(priceOf(named, 'gpt-5-2025-08-07')).toMatchObject({ input: 1 });
    expect(priceOf(named, 'gpt-5-latest')).toMatchObject({ input: 1 });
    expect(priceOf(named, 'gpt-5.9')).toBeUndefined();
    expect(priceOf(named, 'gpt-5-mini')).toBeUndefined();
  });

  it('charges a long prompt its own price, for the whole call', () => {
    const price = { input: 1, output: 2, longPrompt: { above: 1_000, input: 10, output: 20, cacheRead: 5 } };
    expect(costOf(price, { input: 1_000, output: 1 })).toBe(1_002);
    expect(costOf(price, { input: 1_001, cacheRead: 1_000, output: 1 })).toBe(10 + 5_000 + 20);
  });

  it.each([
    ['anthropic', anthropicPrices],
    ['openai', openaiPrices],
    ['gemini', geminiPrices],
  ])('the table of %s has a date, a source and possible prices', (_, { date, source, models }) => {
    expect(new Date(date).toISOString().slice(0, 10)).toBe(date);
    expect(source).toMatch(/^https:/);
    for (const [name, { input, output, cacheRead = input, longPrompt }] of Object.entries(models)) {
      expect([name, input > 0 && output >= input && cacheRead <= input]).toEqual([name, true]);
      if (longPrompt !== undefined) expect([name, longPrompt.input > input]).toEqual([name, true]);
    }
  });

  it('prices a usage in whole micro-USD', () => {
    expect(costOf({ input: 3, output: 15, cacheRead: 0.3 }, { input: 1_000, cacheRead: 900, output: 10 })).toBe(720);
    expect(costOf({ input: 0.1, output: 0.4 }, { input: 1 })).toBe(1);
  });

  it('prices what is written to the cache for an hour apart', () => {
    const price = { input: 4, output: 20, cacheWrite: 5, cacheWriteHour: 8 };
    expect(costOf(price, { input: 1_000, cacheWrite: 900, cacheWriteHour: 600 })).toBe(400 + 1_500 + 4_800);
    expect(costOf({ input: 4, output: 20, cacheWrite: 5 }, { input: 900, cacheWrite: 900, cacheWriteHour: 900 })).toBe(
      4_500,
    );
    expect(anthropicPrices.models['claude-opus-4-5']).toMatchObject({ cacheWrite: 6.25, cacheWriteHour: 10 });
  });
});
