import { TimeoutError, timeout, wrap } from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { expect, it } from 'vitest';

const never = (): Promise<never> => new Promise(() => {});

it('rejects after its time and aborts the signal with the same error', async () => {
  const clock = manualClock();
  let signal: AbortSignal | undefined;
  const call = wrap(timeout('5s', { clock }))((ctx) => {
    signal = ctx.signal;
    return never();
  });
  const outcome = call.catch((error: unknown) => error);
  await clock.advance(4_999);
  expect(signal?.aborted).toBe(false);
  await clock.advance(1);
  const error = await outcome;
  expect(error).toBeInstanceOf(TimeoutError);
  expect(error).toMatchObject({ code: 'ERR_TIMEOUT' });
  expect(signal?.reason).toBe(error);
});

it('passes the value on and leaves no timer and no listener behind', async () => {
  const clock = manualClock();
  const controller = new AbortController();
  expect(await wrap(timeout(100, { clock }))(async () => 'ok', { signal: controller.signal })).toBe('ok');
  expect(clock.pending()).toBe(0);
});

it('hands the caller’s abort on at once', async () => {
  const clock = manualClock();
  const controller = new AbortController();
  const outcome = wrap(timeout(100, { clock }))(never, { signal: controller.signal }).catch((e: unknown) => e);
  controller.abort(new Error('caller went away'));
  expect(await outcome).toMatchObject({ message: 'caller went away' });
  expect(clock.pending()).toBe(0);
});

it('tells inner policies the deadline', async () => {
  const clock = manualClock();
  await clock.advance(1_000);
  const ctx = await wrap(timeout(500, { clock }), timeout(9_000, { clock }))(async (inner) => inner);
  expect(ctx.deadline).toBe(1_500);
});

it('refuses a time that is none', () => {
  expect(() => timeout(Number.NaN)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_DURATION' }));
  expect(() => timeout('soon' as '1s')).toThrow(/`timeout`/);
});
