import { setImmediate as turnOfTheEventLoop } from 'node:timers/promises';
import { waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { createLoop, type Loop } from '../src/loop.ts';

const hour = 3_600_000;

function countTurns(gather: number): { readonly loop: Loop; readonly turns: () => number } {
  let turns = 0;
  const turn = async (): Promise<void> => {
    turns += 1;
  };
  const loop = createLoop({ interval: hour, gather, turn, onError: () => {} });
  return { loop, turns: () => turns };
}

async function wakeThrice(loop: Loop): Promise<void> {
  for (let count = 0; count < 3; count += 1) {
    loop.wake();
    await turnOfTheEventLoop();
  }
}

test('a loop that gathers lets what wakes it wait for company', async () => {
  const { loop, turns } = countTurns(hour);
  await waitFor(() => turns() === 1);
  await wakeThrice(loop);
  expect(turns()).toBe(1);
  await loop.stop();
});

test('what a loop has gathered gets its turn', async () => {
  const { loop, turns } = countTurns(1);
  await waitFor(() => turns() === 1);
  await wakeThrice(loop);
  await waitFor(() => turns() > 1);
  await loop.stop();
});

test('a loop that does not gather takes a turn whenever it is woken', async () => {
  const { loop, turns } = countTurns(0);
  await waitFor(() => turns() === 1);
  await wakeThrice(loop);
  await waitFor(() => turns() === 4);
  await loop.stop();
});
