import { exponential, RetryBudget, readRetryAfter, retry, wrap } from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

class HttpError extends Error {
  readonly status: number;
  readonly headers: Headers;
  constructor(status: number, headers: Record<string, string> = {}) {
    super(`HTTP ${status}`);
    this.status = status;
    this.headers = new Headers(headers);
  }
}

function failing(
  times: number,
  error: unknown,
): { calls: number[]; fn: (ctx: { attempt: number }) => Promise<string> } {
  const calls: number[] = [];
  return {
    calls,
    fn: async ({ attempt }) => {
      calls.push(attempt);
      if (calls.length <= times) throw error;
      return 'ok';
    },
  };
}

describe('retry', () => {
  it('repeats until the call succeeds, counting attempts', async () => {
    const clock = manualClock();
    const { calls, fn } = failing(2, new HttpError(503));
    const outcome = wrap(retry({ clock, random: () => 1 }))(fn);
    await clock.advance(500 + 1_000);
    expect(await outcome).toBe('ok');
    expect(calls).toEqual([1, 2, 3]);
  });

  it('gives the last error after maxAttempts', async () => {
    const clock = manualClock();
    const { calls, fn } = failing(9, new HttpError(500));
    const outcome = wrap(retry({ clock, maxAttempts: 2 }))(fn).catch((e: unknown) => e);
    await clock.advance(60_000);
    expect(await outcome).toMatchObject({ status: 500 });
    expect(calls).toHaveLength(2);
  });

  it.each([400, 401, 403, 404, 422, 501])('does not repeat status %i', async (status) => {
    const { calls, fn } = failing(9, new HttpError(status));
    await expect(wrap(retry())(fn)).rejects.toMatchObject({ status });
    expect(calls).toHaveLength(1);
  });

  it('never comes back before Retry-After, and not long after it', async () => {
    const clock = manualClock();
    const { calls, fn } = failing(1, new HttpError(429, { 'retry-after': '7' }));
    const outcome = wrap(retry({ clock, random: () => 1 }))(fn);
    await clock.advance(6_999);
    expect(calls).toHaveLength(1);
    await clock.advance(501);
    expect(await outcome).toBe('ok');
  });

  it('does not wait for a Retry-After that is too long', async () => {
    const { calls, fn } = failing(1, new HttpError(429, { 'retry-after': '3600' }));
    await expect(wrap(retry())(fn)).rejects.toMatchObject({ status: 429 });
    expect(calls).toHaveLength(1);
  });

  it('does not start a delay that passes the deadline', async () => {
    const clock = manualClock();
    const { calls, fn } = failing(9, new HttpError(503));
    const outcome = wrap(retry({ clock, maxAttempts: 9, deadline: '1s', random: () => 1 }))(fn).catch(
      (e: unknown) => e,
    );
    await clock.advance(60_000);
    expect(await outcome).toMatchObject({ status: 503 });
    expect(calls).toHaveLength(2);
  });

  it('stops sleeping when the caller aborts', async () => {
    const clock = manualClock();
    const controller = new AbortController();
    const { calls, fn } = failing(9, new HttpError(503));
    const outcome = wrap(retry({ clock }))(fn, { signal: controller.signal }).catch((e: unknown) => e);
    await clock.advance(0);
    controller.abort(new Error('stop'));
    expect(await outcome).toMatchObject({ message: 'stop' });
    expect(calls).toHaveLength(1);
    expect(clock.pending()).toBe(0);
  });

  it('retries a wrapped network failure', async () => {
    const clock = manualClock();
    const cause = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const { fn } = failing(1, new TypeError('fetch failed', { cause }));
    const outcome = wrap(retry({ clock }))(fn);
    await clock.advance(60_000);
    expect(await outcome).toBe('ok');
  });

  it('keeps retries of a total outage within the budget', async () => {
    const clock = manualClock();
    let attempts = 0;
    const call = wrap(retry({ clock, maxAttempts: 5, budget: { ratio: 0.2, minPerSecond: 0 }, backoff: () => 0 }));
    const outage = Array.from({ length: 1_000 }, () =>
      call(async () => {
        attempts += 1;
        throw new HttpError(503);
      }).catch(() => {}),
    );
    await clock.advance(10);
    await Promise.all(outage);
    expect(attempts).toBeLessThanOrEqual(1_200);
    expect(attempts).toBeGreaterThan(1_190);
  });
});

describe('RetryBudget', () => {
  it('allows a few retries per second without any traffic', async () => {
    const clock = manualClock();
    const budget = new RetryBudget({ minPerSecond: 2 }, clock);
    expect([budget.withdraw(), budget.withdraw(), budget.withdraw()]).toEqual([true, true, false]);
    await clock.advance(1_000);
    expect(budget.withdraw()).toBe(true);
  });
});

describe('exponential', () => {
  it('doubles up to the maximum', () => {
    const backoff = exponential({ base: 100, max: 500, jitter: 'none' });
    expect([1, 2, 3, 4].map((attempt) => backoff(attempt, 0, () => 1))).toEqual([100, 200, 400, 500]);
  });

  it('full jitter spreads over the whole interval', () => {
    const backoff = exponential({ base: 100 });
    expect(backoff(1, 0, () => 0)).toBe(0);
    expect(backoff(3, 0, () => 0.5)).toBe(200);
  });

  it('decorrelated jitter stays between base and three times the last delay', () => {
    const backoff = exponential({ base: 100, max: 1_000, jitter: 'decorrelated' });
    expect(backoff(2, 200, () => 0)).toBe(100);
    expect(backoff(2, 200, () => 1)).toBe(600);
    expect(backoff(9, 900, () => 1)).toBe(1_000);
  });
});

describe('readRetryAfter', () => {
  const now = Date.parse('2026-11-23T12:00:00Z');
  it.each([
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:10 GMT' }, 10_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ])('%j → %s', (headers, expected) => {
    expect(readRetryAfter(headers, now)).toBe(expected);
    expect(readRetryAfter(new Headers(headers as Record<string, string>), now)).toBe(expected);
  });
});
