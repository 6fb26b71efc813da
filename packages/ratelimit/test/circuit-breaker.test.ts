import {
  type CircuitBreakerOptions,
  circuitBreaker,
  isDownstreamFailure,
  memoryStore,
  wrap,
} from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

const down = Object.assign(new Error('down'), { status: 503 });
const fail = async (): Promise<never> => {
  throw down;
};
const ok = async (): Promise<string> => 'ok';

function setup(options: CircuitBreakerOptions = {}) {
  const clock = manualClock();
  const breaker = circuitBreaker({ clock, minCalls: 4, openFor: '10s', ...options });
  const call = wrap(breaker);
  const failTimes = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) await call(fail).catch(() => {});
  };
  return { clock, breaker, call, failTimes };
}

describe('circuitBreaker', () => {
  it('opens above the failure ratio and refuses without calling', async () => {
    const { breaker, call, failTimes } = setup();
    await failTimes(4);
    expect(breaker.state()).toBe('open');
    let called = false;
    const error = await call(async () => {
      called = true;
    }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', key: 'default', retryAfter: 10_000 });
    expect(called).toBe(false);
  });

  it('earlier successes count against failures', async () => {
    const { breaker, call, failTimes } = setup();
    for (let i = 0; i < 10; i++) await call(ok);
    await failTimes(9);
    expect(breaker.state()).toBe('closed');
    await failTimes(2);
    expect(breaker.state()).toBe('open');
  });

  it('opens after failures in a row, however many calls succeeded before', async () => {
    const { breaker, call, failTimes } = setup({ consecutiveFailures: 3 });
    for (let i = 0; i < 100; i++) await call(ok);
    await failTimes(2);
    await call(ok);
    await failTimes(2);
    expect(breaker.state()).toBe('closed');
    await failTimes(1);
    expect(breaker.state()).toBe('open');
  });

  it('forgets failures that are older than the window', async () => {
    const { breaker, clock, failTimes } = setup({ window: '10s' });
    await failTimes(3);
    await clock.advance(11_000);
    await failTimes(3);
    expect(breaker.state()).toBe('closed');
  });

  it('closes after enough successful probes, one of which runs at a time', async () => {
    const { breaker, clock, call, failTimes } = setup({ probes: 1, successesToClose: 2 });
    await failTimes(4);
    await clock.advance(10_000);
    expect(breaker.state()).toBe('half-open');
    let finish: (value: string) => void = () => {};
    const probe = call(() => new Promise<string>((resolve) => (finish = resolve)));
    await clock.advance(0);
    await expect(call(ok)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
    finish('probe');
    expect(await probe).toBe('probe');
    expect(breaker.state()).toBe('half-open');
    expect(await call(ok)).toBe('ok');
    expect(breaker.state()).toBe('closed');
  });

  it('opens again when a probe fails', async () => {
    const { breaker, clock, call, failTimes } = setup();
    await failTimes(4);
    await clock.advance(10_000);
    await expect(call(fail)).rejects.toBe(down);
    expect(breaker.state()).toBe('open');
  });

  it('an aborted probe says nothing and gives its place back', async () => {
    const { clock, call, failTimes } = setup();
    await failTimes(4);
    await clock.advance(10_000);
    const controller = new AbortController();
    const probe = call(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { signal: controller.signal },
    ).catch(() => {});
    await clock.advance(0);
    controller.abort();
    await probe;
    expect(await call(ok)).toBe('ok');
  });

  it('keeps keys apart and costs nothing for healthy ones beyond a counter', async () => {
    const { breaker, call } = setup({ key: (ctx) => ctx.model ?? 'none' });
    for (let i = 0; i < 4; i++) await call(fail, { model: 'a' }).catch(() => {});
    expect(breaker.state('a')).toBe('open');
    expect(await call(ok, { model: 'b' })).toBe('ok');
    expect(breaker.state('b')).toBe('closed');
  });

  it('holds a bounded number of keys', async () => {
    const { breaker, call } = setup({ key: (ctx) => ctx.key, maxKeys: 100 });
    for (let i = 0; i < 500; i++) await call(fail, { key: `k${i}` }).catch(() => {});
    expect(breaker.size()).toBeLessThanOrEqual(100);
  });

  it('what one process opens, all refuse; probes are counted over the fleet', async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const options = { clock, store, minCalls: 4, openFor: '10s' } as const;
    const events: string[] = [];
    const here = circuitBreaker(options);
    const there = circuitBreaker({
      ...options,
      instrumentation: { onCircuit: (e) => events.push(`${e.state}:${e.remote}`) },
    });
    expect(await wrap(there)(ok)).toBe('ok');
    for (let i = 0; i < 4; i++) await wrap(here)(fail).catch(() => {});
    await clock.advance(100);
    await expect(wrap(there)(ok)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
    await clock.advance(10_000);
    let finish: (value: string) => void = () => {};
    const probe = wrap(here)(() => new Promise<string>((resolve) => (finish = resolve)));
    await clock.advance(0);
    await expect(wrap(there)(ok)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
    finish('fine');
    await probe;
    await clock.advance(100);
    expect(await wrap(there)(ok)).toBe('ok');
    expect(events).toEqual(['open:true', 'half-open:true', 'closed:true']);
  });

  it('works alone when the store fails', async () => {
    const clock = manualClock();
    const circuits = memoryStore({ clock }).circuits;
    const broken = {
      ...circuits,
      read: () => Promise.reject(new Error('x')),
      open: () => Promise.reject(new Error('x')),
    };
    const breaker = circuitBreaker({
      clock,
      minCalls: 4,
      store: { name: 'broken', circuits: broken as typeof circuits },
    });
    for (let i = 0; i < 4; i++) await expect(wrap(breaker)(fail)).rejects.toBe(down);
    await expect(wrap(breaker)(ok)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  });
});

describe('isDownstreamFailure', () => {
  it.each([
    [{ status: 500 }, true],
    [{ status: 529 }, true],
    [{ status: 429 }, false],
    [{ status: 400 }, false],
    [Object.assign(new Error(), { code: 'ERR_TIMEOUT' }), true],
    [Object.assign(new Error(), { code: 'ECONNRESET' }), true],
    [Object.assign(new Error(), { code: 'ERR_RATE_LIMITED' }), false],
    [new DOMException('x', 'AbortError'), false],
  ])('%s → %s', (error, expected) => {
    expect(isDownstreamFailure(error)).toBe(expected);
  });
});
