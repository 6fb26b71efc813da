import {
  admission,
  fallback,
  hedge,
  instrument,
  type RateLimitInstrumentation,
  retry,
  wrap,
} from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

const unavailable = Object.assign(new Error('unavailable'), { status: 503 });

describe('hedge', () => {
  it('starts a second call when the first is slow, takes the first answer and aborts the other', async () => {
    const clock = manualClock();
    const aborted: number[] = [];
    const call = wrap(hedge({ after: '1s', clock }))(
      ({ attempt, signal }) =>
        new Promise<number>((resolve) => {
          signal.addEventListener('abort', () => aborted.push(attempt));
          if (attempt === 2) clock.setTimeout(() => resolve(2), 100);
        }),
    );
    await clock.advance(1_100);
    expect(await call).toBe(2);
    expect(aborted).toEqual([1]);
    expect(clock.pending()).toBe(0);
  });

  it('a quick call is made once', async () => {
    const clock = manualClock();
    let calls = 0;
    expect(await wrap(hedge({ after: '1s', clock }))(async () => ++calls)).toBe(1);
    await clock.advance(5_000);
    expect(calls).toBe(1);
  });

  it('fails when all calls fail, and stops when the caller aborts', async () => {
    const clock = manualClock();
    await expect(wrap(hedge({ after: '1s', clock }))(() => Promise.reject(unavailable))).rejects.toBe(unavailable);
    const controller = new AbortController();
    const waiting = wrap(hedge({ after: '1s', clock }))(() => new Promise(() => {}), { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(clock.pending()).toBe(0);
  });

  it('extra calls stay within the budget', async () => {
    const clock = manualClock();
    const call = wrap(hedge({ after: 10, clock, budget: { ratio: 0.1, minPerSecond: 0 } }));
    let calls = 0;
    for (let i = 0; i < 100; i++) void call(() => new Promise(() => (calls += 1)));
    await clock.advance(20);
    expect(calls).toBeGreaterThanOrEqual(109);
    expect(calls).toBeLessThanOrEqual(110);
  });
});

describe('fallback', () => {
  it('tries the alternatives in order', async () => {
    const tried: (string | undefined)[] = [];
    const call = wrap(fallback({ to: [{ model: 'b' }, { model: 'c', key: 'other' }] }));
    const answer = await call(
      async ({ model, key }) => {
        tried.push(model);
        if (model !== 'c') throw unavailable;
        return key;
      },
      { model: 'a', key: 'main' },
    );
    expect(answer).toBe('other');
    expect(tried).toEqual(['a', 'b', 'c']);
  });

  it('gives the first error when everything fails, and does not try when it cannot help', async () => {
    const call = wrap(fallback({ to: [{ model: 'b' }] }));
    await expect(
      call(({ model }) => Promise.reject(Object.assign(new Error(model), { status: 503 })), { model: 'a' }),
    ).rejects.toThrow('a');
    let calls = 0;
    const bad = call(async () => {
      calls += 1;
      throw Object.assign(new Error('bad request'), { status: 400 });
    });
    await expect(bad).rejects.toThrow('bad request');
    expect(calls).toBe(1);
  });
});

describe('admission', () => {
  it('refuses above the calls in flight, with a time to come back', async () => {
    const call = wrap(admission({ maxInFlight: 2 }));
    const forever = () => new Promise(() => {});
    void call(forever);
    void call(forever);
    await expect(call(forever)).rejects.toMatchObject({
      code: 'ERR_ADMISSION_REFUSED',
      reason: 'calls in flight',
      retryAfter: 1_000,
    });
  });

  it('sheds less important calls first', async () => {
    let load = 0.8;
    const call = wrap(admission({ signals: [{ name: 'queue depth', load: () => load }], shedAt: { batch: 0.7 } }));
    await expect(call(async () => 1, { priority: 'batch' })).rejects.toMatchObject({ reason: 'queue depth' });
    expect(await call(async () => 1)).toBe(1);
    load = 1;
    await expect(call(async () => 1)).rejects.toThrow('queue depth');
  });

  it('sheds when calls have become slow, and lets somebody in to see whether they still are', async () => {
    const clock = manualClock();
    const call = wrap(admission({ targetLatency: 100, clock }));
    const slow = () => new Promise<void>((resolve) => clock.setTimeout(resolve, 5_000));
    const batch = Array.from({ length: 10 }, () => call(slow));
    await clock.advance(5_000);
    await Promise.all(batch);
    const probe = call(slow);
    await expect(call(slow)).rejects.toMatchObject({ reason: 'latency' });
    await clock.advance(5_000);
    await probe;
  });
});

describe('instrument', () => {
  it('runs around whole calls outside of retry, around attempts inside', async () => {
    const clock = manualClock();
    const trace: string[] = [];
    const instrumentation: RateLimitInstrumentation = {
      aroundCall: async ({ name, attempt, tenant }, next) => {
        trace.push(`${name} ${attempt} ${tenant}`);
        return next();
      },
    };
    const call = wrap(
      instrument('call', instrumentation),
      retry({ clock, backoff: () => 0 }),
      instrument('attempt', instrumentation),
    );
    let failures = 1;
    const outcome = call(
      async () => {
        if (failures-- > 0) throw unavailable;
        return 'ok';
      },
      { tenant: 't' },
    );
    await clock.advance(0);
    expect(await outcome).toBe('ok');
    expect(trace).toEqual(['call 1 t', 'attempt 1 t', 'attempt 2 t']);
  });

  it('is nothing when nobody listens', async () => {
    expect(await wrap(instrument('x', undefined))(async () => 1)).toBe(1);
  });
});
