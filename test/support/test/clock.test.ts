import { manualClock } from '@millrace/test-support';
import { expect, test } from 'vitest';

test('timers run in the order of their time, promises in between', async () => {
  const clock = manualClock(1_000);
  const seen: string[] = [];
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.setTimeout(resolve, ms);
    });
  void wait(20).then(() => seen.push(`second at ${clock.now()}`));
  void wait(10).then(async () => {
    seen.push(`first at ${clock.now()}`);
    await wait(5);
    seen.push(`between at ${clock.now()}`);
  });
  await clock.advance(20);
  expect(seen).toEqual(['first at 1010', 'between at 1015', 'second at 1020']);
  expect(clock.pending()).toBe(0);
});

test('a jump moves the wall clock and fires nothing', async () => {
  const clock = manualClock(1_000);
  let fired = false;
  const handle = clock.setTimeout(() => {
    fired = true;
  }, 10);
  clock.jump(-500);
  expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
  await clock.advance(9);
  expect(fired).toBe(false);
  clock.clearTimeout(handle);
  expect(await clock.advanceToNext()).toBe(false);
  expect(fired).toBe(false);
});
