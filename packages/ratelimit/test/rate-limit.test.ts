import { admission, memoryStore, type RateLimitOptions, rateLimit, wrap } from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

function setup(options: RateLimitOptions) {
  const clock = manualClock();
  return { clock, limit: rateLimit({ clock, ...options }) };
}

describe('rateLimit', () => {
  it('lets the burst through and makes the next wait for its slot', async () => {
    const { clock, limit } = setup({ limits: [{ limit: 10, per: '1s', burst: 2, mode: 'mirror' }] });
    const done: number[] = [];
    const calls = [1, 2, 3, 4].map((n) => wrap(limit)(async () => done.push(n)));
    await clock.advance(0);
    expect(done).toEqual([1, 2]);
    expect(limit.line()).toMatchObject([
      { waitingFor: 'requests', position: 1, eta: 100 },
      { waitingFor: 'requests', position: 2, eta: 200 },
    ]);
    await clock.advance(100);
    expect(done).toEqual([1, 2, 3]);
    await clock.advance(100);
    await Promise.all(calls);
    expect(done).toEqual([1, 2, 3, 4]);
    expect(limit.line()).toEqual([]);
  });

  it('refuses at once what would have to wait too long, and says when to come back', async () => {
    const { limit } = setup({ limits: [{ limit: 1, per: '1m' }], maxWait: '10s' });
    await limit.acquire();
    await expect(limit.acquire()).rejects.toMatchObject({
      code: 'ERR_RATE_LIMITED',
      limit: 'requests',
      retryAfter: 60_000,
    });
  });

  it('keeps keys and scopes apart', async () => {
    const { limit } = setup({
      maxWait: 0,
      limits: [
        { limit: 3, per: '1m', burst: 3 },
        { name: 'per tenant', limit: 2, per: '1m', burst: 2, scope: (ctx) => ctx.tenant ?? '' },
      ],
    });
    await limit.acquire({ tenant: 'a' });
    await limit.acquire({ tenant: 'a' });
    await expect(limit.acquire({ tenant: 'a' })).rejects.toMatchObject({ limit: 'per tenant' });
    await limit.acquire({ tenant: 'b' });
    await expect(limit.acquire({ tenant: 'b' })).rejects.toMatchObject({ limit: 'requests' });
    await limit.acquire({ tenant: 'b', key: 'other account' });
  });

  it('an aborted wait gives its slot back', async () => {
    const { clock, limit } = setup({ limits: [{ limit: 10, per: '1s', burst: 1, mode: 'mirror' }] });
    await limit.acquire();
    const controller = new AbortController();
    const waiting = limit.acquire({ signal: controller.signal }).catch((e: unknown) => e);
    await clock.advance(0);
    controller.abort(new Error('gone'));
    expect(await waiting).toMatchObject({ message: 'gone' });
    expect(limit.line()).toEqual([]);
    expect(clock.pending()).toBe(0);
    await clock.advance(100);
    expect(await limit.tryAcquire()).toBeDefined();
  });

  it('an abort while the store is asked gives the slot back', async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const controller = new AbortController();
    const rates = Object.assign(Object.create(store.rates) as typeof store.rates, {
      debit: async (...asked: Parameters<typeof store.rates.debit>) => {
        controller.abort(new Error('gone'));
        return store.rates.debit(...asked);
      },
      adjust: (...asked: Parameters<typeof store.rates.adjust>) => store.rates.adjust(...asked),
      read: (...asked: Parameters<typeof store.rates.read>) => store.rates.read(...asked),
    });
    const limit = rateLimit({ clock, store: { ...store, rates }, limits: [{ limit: 100, per: '1m', burst: 2 }] });
    await expect(limit.acquire({ signal: controller.signal })).rejects.toThrow('gone');
    expect((await limit.stats()).remaining).toEqual({ requests: 2 });
  });

  it('a call that is refused further inside gives its slot back', async () => {
    const { limit } = setup({ limits: [{ limit: 100, per: '1m', burst: 2 }] });
    const shed = admission({ signals: [{ name: 'queue depth', load: () => 1 }] });
    await expect(wrap(limit, shed)(async () => 1)).rejects.toMatchObject({ code: 'ERR_ADMISSION_REFUSED' });
    expect((await limit.stats()).remaining).toEqual({ requests: 2 });
  });

  it('does not wait past the deadline of the call', async () => {
    const { limit } = setup({ limits: [{ limit: 1, per: '1s' }] });
    await limit.acquire();
    await expect(limit.acquire({ deadline: 500 })).rejects.toMatchObject({ code: 'ERR_RATE_LIMITED' });
  });

  it('settles a reservation with the actual cost, once', async () => {
    const { limit } = setup({ limits: [{ dimension: 'output', limit: 1_000, per: '1m', burst: 1_000 }] });
    const ticket = await limit.acquire({ cost: { output: 800 } });
    ticket.settle({ output: 300 });
    ticket.settle({ output: 0 });
    expect((await limit.stats()).remaining).toEqual({ output: 700 });
  });

  it('hears the actual cost from the called function', async () => {
    const { limit } = setup({ limits: [{ dimension: 'output', limit: 1_000, per: '1m', burst: 1_000 }] });
    await wrap(limit)(async (ctx) => ctx.settle({ output: 300 }), { cost: { output: 800 } });
    expect((await limit.stats()).remaining).toEqual({ output: 700 });
  });

  it('refuses a call that can never pass', async () => {
    const { limit } = setup({ limits: [{ dimension: 'input', limit: 1_000, per: '1m' }] });
    await expect(limit.acquire({ cost: { input: 1_001 } })).rejects.toMatchObject({ code: 'ERR_COST_EXCEEDS_LIMIT' });
  });

  it.each([
    [{ limits: [] }, /at least one/],
    [{ limits: [{ limit: 0, per: '1s' }] }, /`limit`/],
    [{ limits: [{ limit: 5, per: '1s', burst: 6 }] }, /`burst`/],
    [{ limits: [{ limit: 5, per: 0 }] }, /`per`/],
    [{ limits: [{ limit: 5, per: 'often' as '1s' }] }, /limits.requests.per/],
    [{ limits: [{ limit: 5, per: '1s' }], priorities: { a: 0.5, b: 0.6 } }, /sum/],
  ] satisfies [RateLimitOptions, RegExp][])('refuses options that cannot work: %j', (options, message) => {
    expect(() => rateLimit(options)).toThrow(message);
  });
});

describe('strict mode', () => {
  it('never admits more than the limit in any window, wherever it starts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.record({ pause: fc.integer({ min: 0, max: 900 }), calls: fc.integer({ min: 1, max: 40 }) }), {
          maxLength: 12,
        }),
        async (limitPerSecond, bursts) => {
          const clock = manualClock();
          const limit = rateLimit({ clock, limits: [{ limit: limitPerSecond, per: '1s' }], maxWait: '1h' });
          const admitted: number[] = [];
          for (const { pause, calls } of bursts) {
            for (let i = 0; i < calls; i++) void limit.acquire().then(() => admitted.push(clock.monotonic()));
            await clock.advance(pause);
          }
          await clock.advance(600_000);
          for (let i = 0; i + limitPerSecond < admitted.length; i++) {
            expect((admitted[i + limitPerSecond] as number) - (admitted[i] as number)).toBeGreaterThanOrEqual(1_000);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('reaches its limit in the long run', async () => {
    const { clock, limit } = setup({ limits: [{ limit: 100, per: '1s' }], maxWait: '1h' });
    let admitted = 0;
    for (let i = 0; i < 1_000; i++) void limit.acquire().then(() => (admitted += 1));
    await clock.advance(10_000);
    expect(admitted).toBeGreaterThan(955);
  });
});

describe('gate', () => {
  it('checks a fixed caller without a promise, against the same state', async () => {
    const { limit } = setup({ limits: [{ limit: 2, per: '1m', burst: 2 }] });
    const gate = limit.gate({ key: 'hot' });
    expect([gate.take(), gate.take(), gate.take()]).toEqual([true, true, false]);
    expect(await limit.tryAcquire({ key: 'hot' })).toBeUndefined();
    expect(await limit.tryAcquire({ key: 'cold' })).toBeDefined();
  });
});
