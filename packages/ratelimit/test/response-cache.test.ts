import { memoryStore, promptKey, type ResponseCacheOptions, responseCache, wrap } from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

function setup(change: Partial<ResponseCacheOptions> = {}) {
  const clock = manualClock();
  const outcomes: string[] = [];
  const cache = responseCache({
    clock,
    key: (ctx) => ctx.key,
    ttl: '1m',
    instrumentation: { onCache: ({ outcome }) => outcomes.push(outcome) },
    ...change,
  });
  let calls = 0;
  const call = wrap(cache);
  const ask = (init: Parameters<typeof call>[1] = { key: 'q' }, fn = async (n: number): Promise<unknown> => ({ n })) =>
    call(() => fn(++calls), init);
  return { clock, outcomes, cache, call, ask, calls: () => calls };
}

class HttpError extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

describe('responseCache', () => {
  it('answers equal calls from memory until they are too old', async () => {
    const { ask, clock, outcomes } = setup();
    expect(await ask()).toEqual({ n: 1 });
    expect(await ask()).toEqual({ n: 1 });
    await clock.advance(60_001);
    expect(await ask()).toEqual({ n: 2 });
    expect(outcomes).toEqual(['miss', 'hit', 'miss']);
  });

  it('keeps tenants apart, unless the prompts are nobody’s', async () => {
    const own = setup();
    expect(await own.ask({ key: 'q', tenant: 'a' })).toEqual({ n: 1 });
    expect(await own.ask({ key: 'q', tenant: 'b' })).toEqual({ n: 2 });
    const shared = setup({ scope: 'shared' });
    await shared.ask({ key: 'q', tenant: 'a' });
    expect(await shared.ask({ key: 'q', tenant: 'b' })).toEqual({ n: 1 });
  });

  it('makes concurrent equal calls once, also across processes', async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const here = setup({ clock, store });
    const there = setup({ clock, store });
    let finish: (value: unknown) => void = () => {};
    const slow = () => new Promise((resolve) => (finish = resolve));
    const both = [here.ask({ key: 'q' }, slow), here.ask({ key: 'q' })];
    await clock.advance(0);
    const remote = there.ask({ key: 'q' });
    await clock.advance(200);
    finish({ answer: 42 });
    await clock.advance(200);
    expect(await Promise.all([...both, remote])).toEqual([{ answer: 42 }, { answer: 42 }, { answer: 42 }]);
    expect([here.calls(), there.calls()]).toEqual([1, 0]);
    expect(here.outcomes).toEqual(['miss', 'joined']);
  });

  it('when the one who fetches is aborted, the next one fetches', async () => {
    const { call } = setup();
    const controller = new AbortController();
    const first = call(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { key: 'q', signal: controller.signal },
    ).catch(() => 'aborted');
    const second = call(async () => 'fetched', { key: 'q' });
    await new Promise(setImmediate);
    controller.abort();
    expect(await Promise.all([first, second])).toEqual(['aborted', 'fetched']);
  });

  it('gives an old answer while it fetches a new one', async () => {
    const { ask, clock, outcomes } = setup({ staleWhileRevalidate: '1m' });
    await ask();
    await clock.advance(61_000);
    expect(await ask()).toEqual({ n: 1 });
    await clock.advance(0);
    expect(await ask()).toEqual({ n: 2 });
    expect(outcomes).toEqual(['miss', 'stale', 'hit']);
  });

  it('gives an old answer when the call fails, but not when access is denied', async () => {
    const { ask, clock, outcomes } = setup({ staleIfError: '1h' });
    await ask();
    await clock.advance(61_000);
    expect(await ask({ key: 'q' }, async () => Promise.reject(new HttpError(503)))).toEqual({ n: 1 });
    expect(outcomes).toEqual(['miss', 'miss', 'stale-error']);
    for (const status of [401, 403]) {
      await expect(ask({ key: 'q' }, () => Promise.reject(new HttpError(status)))).rejects.toMatchObject({ status });
    }
  });

  it('remembers failures that repeating cannot cure, never a 429 or a 5xx', async () => {
    const { ask, calls, outcomes } = setup({ negativeTtl: '10s' });
    for (const status of [429, 503, 401]) {
      await expect(ask({ key: `${status}` }, async () => Promise.reject(new HttpError(status)))).rejects.toThrow();
      expect(await ask({ key: `${status}` })).toBeDefined();
    }
    const before = calls();
    await expect(ask({ key: 'bad' }, async () => Promise.reject(new HttpError(400)))).rejects.toThrow('HTTP 400');
    await expect(ask({ key: 'bad' })).rejects.toMatchObject({ code: 'ERR_CACHED_FAILURE', status: 400 });
    expect(calls()).toBe(before + 1);
    expect(outcomes.at(-1)).toBe('negative');
  });

  it('bounds its memory in bytes', async () => {
    const { ask } = setup({ maxBytes: 3_000 });
    const big = async (n: number) => ({ n, text: 'x'.repeat(800) });
    for (const key of ['a', 'b', 'c', 'd']) await ask({ key }, big);
    expect(await ask({ key: 'd' })).toMatchObject({ n: 4 });
    expect(await ask({ key: 'a' })).toMatchObject({ n: 5 });
  });

  it('does not cache what has no key, and works when the store is gone', async () => {
    const uncached = setup({ key: () => undefined });
    await uncached.ask();
    expect(await uncached.ask()).toEqual({ n: 2 });
    const cache = new Proxy({}, { get: () => () => Promise.reject(new Error('gone')) });
    const broken = setup({ store: { name: 'broken', cache } as unknown as NonNullable<ResponseCacheOptions['store']> });
    expect(await broken.ask()).toEqual({ n: 1 });
    expect(await broken.ask()).toEqual({ n: 1 });
  });

  it('forgets on request', async () => {
    const { ask, cache } = setup();
    await ask();
    await cache.delete('q');
    expect(await ask()).toEqual({ n: 2 });
  });
});

describe('promptKey', () => {
  it('is the same for prompts that mean the same', () => {
    const a = { model: 'm', messages: [{ role: 'user', content: 'hi\r\nthere ' }], temperature: 0, stream: true };
    const b = { temperature: 0, messages: [{ content: 'hi\nthere', role: 'user' }], model: 'm', user: 'u1' };
    expect(promptKey(a)).toBe(promptKey(b));
    expect(promptKey(a)).not.toBe(promptKey({ ...a, temperature: 1 }));
  });
});
