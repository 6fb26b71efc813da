import { AdaptiveLimit, bulkhead, memoryStore, wrap } from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

/** Calls that run until they are told to end. */
function gated() {
  const running: (() => void)[] = [];
  const started: string[] = [];
  const fn = (name: string) => () =>
    new Promise<string>((resolve) => {
      started.push(name);
      running.push(() => resolve(name));
    });
  return { running, started, fn };
}

describe.each(['local', 'store'])('bulkhead (%s)', (kind) => {
  function setup(change: Partial<Parameters<typeof bulkhead>[0]> = {}) {
    const clock = manualClock();
    const limiter = bulkhead({
      clock,
      limit: 2,
      ...(kind === 'store' ? { store: memoryStore({ clock }) } : {}),
      ...change,
    });
    return { clock, limiter, call: wrap(limiter) };
  }

  it('runs at most `limit` calls of a key at once, the others in order', async () => {
    const { clock, call } = setup();
    const { running, started, fn } = gated();
    const calls = ['a', 'b', 'c', 'd'].map((name) => call(fn(name)));
    const other = call(fn('other'), { key: 'other' });
    await clock.advance(100);
    expect(started).toEqual(['a', 'b', 'other']);
    running[0]?.();
    await clock.advance(100);
    expect(started).toEqual(['a', 'b', 'other', 'c']);
    for (const end of running) end();
    await clock.advance(100);
    running.at(-1)?.();
    expect(await Promise.all([...calls, other])).toEqual(['a', 'b', 'c', 'd', 'other']);
  });

  it('an abort in the line frees the place at once and leaks nothing', async () => {
    const { clock, limiter } = setup({ limit: 1 });
    const first = await settle(clock, limiter.acquire());
    const controller = new AbortController();
    const waiting = limiter.acquire({ signal: controller.signal }).catch((e: unknown) => e);
    const third = limiter.acquire();
    await clock.advance(0);
    controller.abort(new Error('gone'));
    expect(await waiting).toMatchObject({ message: 'gone' });
    first.release();
    (await settle(clock, third)).release();
    await clock.advance(1_000);
    expect(limiter.stats()).toMatchObject({ held: 0, waiting: 0 });
    expect(limiter.line()).toEqual([]);
  });

  it('refuses when the wait is too long', async () => {
    const { clock, limiter } = setup({ limit: 1, maxWait: '2s' });
    await settle(clock, limiter.acquire());
    const late = limiter.acquire().catch((e: unknown) => e);
    await clock.advance(2_100);
    expect(await late).toMatchObject({ code: 'ERR_BULKHEAD_FULL' });
    expect(limiter.stats().waiting).toBe(0);
  });

  it('refuses when the line is full', async () => {
    const { clock, limiter } = setup({ limit: 1, maxWaiting: 1 });
    await settle(clock, limiter.acquire());
    void limiter.acquire().catch(() => {});
    await clock.advance(0);
    await expect(limiter.acquire()).rejects.toMatchObject({ code: 'ERR_BULKHEAD_FULL' });
  });

  it('shares the line between tenants by weight', async () => {
    const { clock, limiter } = setup({ limit: 1, weight: (ctx) => (ctx.tenant === 'gold' ? 3 : 1) });
    const served: string[] = [];
    const holder = await settle(clock, limiter.acquire({ tenant: 'holder' }));
    const tenants = [...Array(20).fill('bronze'), ...Array(20).fill('gold')] as string[];
    for (const tenant of tenants) {
      void limiter.acquire({ tenant }).then((permit) => {
        served.push(tenant);
        permit.release();
      });
    }
    await clock.advance(0);
    holder.release();
    await clock.advance(5_000);
    const firstTwelve = served.slice(0, 12).filter((tenant) => tenant === 'gold').length;
    expect(firstTwelve).toBeGreaterThanOrEqual(8);
    expect(firstTwelve).toBeLessThanOrEqual(10);
  });
});

describe('shared permits', () => {
  it('renews leases while a call runs, and frees the permit of a process that died', async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const alive = bulkhead({ clock, store, limit: 1, lease: '3s' });
    const permit = await settle(clock, alive.acquire());
    await clock.advance(20_000);
    const exchange = {
      limit: 1,
      leaseMs: 3_000,
      release: [],
      renew: [],
      acquire: [{ id: 'x', tenant: '', weight: 1 }],
    };
    expect(store.permits.exchange('bulkhead/default', exchange)).toMatchObject({ granted: [], held: 1 });
    permit.release();
    await clock.advance(100);
    expect(store.permits.exchange('bulkhead/default', { ...exchange, acquire: [], renew: ['x'] })).toMatchObject({
      granted: [{ id: 'x' }],
    });
    const waiting = alive.acquire();
    await clock.advance(3_100);
    expect((await settle(clock, waiting)).fence).toBeGreaterThan(0);
  });

  it('tells a holder that its permit was lost', async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const limiter = bulkhead({ clock, store, limit: 1, lease: '3s', abortOnLost: true });
    const outcome = wrap(limiter)(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    ).catch((e: unknown) => e);
    await clock.advance(100);
    // Another process with a shorter view of the lease swept it: the store forgot the holder.
    const names = new Set<string>();
    const { exchange } = store.permits;
    store.permits.exchange = (key, request) => {
      for (const id of request.renew) names.add(id);
      return exchange.call(store.permits, key, { ...request, release: [...request.release, ...names] });
    };
    await clock.advance(2_000);
    expect(await outcome).toMatchObject({ code: 'ERR_PERMIT_LOST' });
  });
});

describe('permits while the store is down', () => {
  it('are divided by the processes that were last seen alive', async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    let down = false;
    const exchange: typeof store.permits.exchange = (...asked) => {
      if (down) throw new Error('down');
      return store.permits.exchange(...asked);
    };
    const [a, b] = [1, 2].map(() => bulkhead({ limit: 4, store: { ...store, permits: { exchange } }, clock }));
    const use = async (process = a) => (await process?.acquire())?.release();
    await use(a);
    await use(b);
    await clock.advance(6_000);
    await use(a);
    down = true;
    let held = 0;
    for (let i = 0; i < 4; i++) void a?.acquire().then(() => (held += 1));
    await clock.advance(1_000);
    expect(held).toBe(2);
  });
});

describe('adaptive concurrency', () => {
  it('falls when latency rises and grows back when it falls', async () => {
    const clock = manualClock();
    const limiter = bulkhead({ clock, limit: 64, adaptive: { min: 2 } });
    const call = wrap(limiter);
    const load = async (latency: number, rounds: number): Promise<void> => {
      for (let i = 0; i < rounds; i++) {
        const batch = Array.from({ length: 64 }, () =>
          call(() => new Promise<void>((done) => clock.setTimeout(done, latency))),
        );
        await clock.advance(latency * 64);
        await Promise.all(batch);
      }
    };
    await load(10, 5);
    const calm = limiter.stats().limit;
    await load(200, 3);
    const stressed = limiter.stats().limit;
    expect(stressed).toBeLessThan(calm);
    await load(5, 40);
    expect(limiter.stats().limit).toBeGreaterThan(stressed);
  });

  it('learns nothing from calls that do not use it', () => {
    const limit = new AdaptiveLimit(100, { max: 200 });
    for (let i = 0; i < 50; i++) limit.sample(10, 3);
    expect(limit.current).toBe(100);
    for (let i = 0; i < 50; i++) limit.sample(10, 80);
    expect(limit.current).toBeGreaterThan(100);
  });
});

async function settle<T>(clock: { advance(ms: number): Promise<void> }, promise: Promise<T>): Promise<T> {
  await clock.advance(100);
  return promise;
}
